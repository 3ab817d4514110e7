*** Comments ***
SPDX-License-Identifier: Apache-2.0
SPDX-FileCopyrightText: The torpor authors
The firmware that ships, on nrf52840dk in Renode. The number in a name is the seed of all that is random.

*** Settings ***
Resource            ${CURDIR}/torpor.resource
Suite Setup         Set Board Up    nrf52840dk
Suite Teardown      Teardown
Test Setup          Reset Emulation
Test Teardown       Clean Up

*** Test Cases ***
A New Device Starts And Confirms Its Firmware 1
    A New Device Starts And Confirms Its Firmware    1

Held Out Windows Give The Bytes Of TensorFlow Lite Micro 2
    Held Out Windows Give The Bytes Of TensorFlow Lite Micro    2    40

A Sleeping Device Works Less Than A Hundredth Of The Time And Wakes For An Event 3
    A Sleeping Device Wakes For An Event    3    rest=0.01    event=0.5

An Update Outlives A Power Cut In Its First Half 4
    An Update Outlives A Power Cut    4    0    50

An Update Outlives A Power Cut In Its Second Half 5
    An Update Outlives A Power Cut    5    50    99

An Update Outlives A Power Cut Near Its End 6
    An Update Outlives A Power Cut    6    99    100

A Hanging Firmware Is Given Up By The Watchdog 7
    A Hanging Firmware Is Given Up By The Watchdog    7

A Model Is Switched Between Two Inferences 8
    A Model Is Switched Between Two Inferences    8    24
