# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Firmware onto a board over its cable: what goes where, what it goes over, and who writes it.

sources   what a build left, or what a file is
plan      which bytes go to which addresses, and whether they may
computer  USB devices, serial ports and drives of this computer
choose    which tool, over which of them
openocd, pyocd, esptool, drive    one tool each: the exact steps, and what its failures mean
job       runs the steps of one tool
"""
