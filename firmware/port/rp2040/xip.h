/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Lets the CPU see the flash at its addresses (RP2040 Datasheet, 4.10 SSI, 2.6.3 flash; data sheet
 * of the W25Q16JV, 8.2 instructions). Part of whoever needs it: the second stage of the boot, which
 * the ROM copies to anywhere in RAM, and the driver, which runs from RAM too. So it is one function
 * that refers to nothing outside of itself.
 *
 * The flash answers to Fast Read Quad I/O (EBh) and, told so by the mode bits A0h, goes on without
 * being given the command each time: 20 clocks a word, where the serial read (03h) takes 64. The
 * ROM ends that mode at each start (flash_exit_xip), however the run before has ended. Flash whose
 * QE bit is not set, so that two of its four data lines are something else, is read serially; the
 * status register is not for us to write.
 */
#ifndef PORT_RP2040_XIP_H
#define PORT_RP2040_XIP_H

#include <stdbool.h>

#include "port/bare/bare.h"

/* Given their base: a constant that the compiler does not see, so that the registers of one
 * peripheral share it. The second stage has 252 bytes. */
#define PADS_QSPI_BASE        0x40020000u
#define PADS_QSPI_SCLK(pads)  REG32((pads) + 0x04)
#define PADS_QSPI_SD(pads, n) REG32((pads) + 0x08 + 4 * (n))
#define SCLK_FAST             (2u << 4 | 1u << 0) /* 8 mA, fast slew */
#define SD_SCHMITT            (1u << 1)

#define SSI_BASE               0x18000000u
#define SSI_CTRLR0(ssi)        REG32((ssi) + 0x00)
#define SSI_CTRLR1(ssi)        REG32((ssi) + 0x04)
#define SSI_SSIENR(ssi)        REG32((ssi) + 0x08)
#define SSI_BAUDR(ssi)         REG32((ssi) + 0x14)
#define SSI_SR(ssi)            REG32((ssi) + 0x28)
#define SSI_DR0(ssi)           REG32((ssi) + 0x60)
#define SSI_RX_SAMPLE_DLY(ssi) REG32((ssi) + 0xF0)
#define SSI_SPI_CTRLR0(ssi)    REG32((ssi) + 0xF4)

#define SSI_SR_BUSY        (1u << 0)
#define SSI_SR_TFE         (1u << 2)
#define CTRLR0_BITS(n)     (((n) - 1u) << 16) /* of a frame */
#define CTRLR0_EEPROM_READ (3u << 8)          /* command and address out, then data in */
#define CTRLR0_QUAD        (2u << 21)
#define COMMAND_8_BITS     (2u << 8)
#define COMMAND_NONE       (0u << 8)
#define ADDRESS_BITS(n)    ((n) / 4 << 2)
#define WAIT_CYCLES(n)     ((n) << 11)
#define SERIAL_COMMAND     1u /* its address is not */
#define ALL_QUAD           2u
#define XIP_COMMAND(byte)  ((uint32_t)(byte) << 24)

/* At 125 MHz: 62.5 MHz, of 133 that the flash allows; and a quarter of it for the serial read, of
 * 50. The divisor is even. */
#define DIVISOR_QUAD   2u
#define DIVISOR_SERIAL 4u

#define FLASH_READ          0x03u
#define FLASH_READ_STATUS_2 0x35u
#define FLASH_READ_QUAD     0xEBu
#define FLASH_CONTINUOUS    0xA0u /* mode bits: the next read comes without its command */
#define STATUS_2_QE         (1u << 1)

#define XIP_PART __attribute__((always_inline)) static inline

XIP_PART uint32_t hidden(uint32_t constant)
{
    __asm volatile("" : "+r"(constant));
    return constant;
}

/* The SSI takes settings while it is off. */
XIP_PART void ssi_set_up(uint32_t ssi, uint32_t frames, uint32_t reads)
{
    SSI_SSIENR(ssi) = 0;
    SSI_CTRLR0(ssi) = frames;
    SSI_SPI_CTRLR0(ssi) = reads;
    SSI_SSIENR(ssi) = 1;
}

XIP_PART void ssi_wait(uint32_t ssi)
{
    while ((SSI_SR(ssi) & (SSI_SR_TFE | SSI_SR_BUSY)) != SSI_SR_TFE) {
    }
}

/* The chip is selected as long as there is something to send: the second byte must be there before
 * the first is out. */
XIP_PART bool flash_is_quad(uint32_t ssi)
{
    ssi_set_up(ssi, CTRLR0_BITS(8u), 0);
    SSI_DR0(ssi) = FLASH_READ_STATUS_2;
    SSI_DR0(ssi) = FLASH_READ_STATUS_2;
    ssi_wait(ssi);
    (void)SSI_DR0(ssi);
    return (SSI_DR0(ssi) & STATUS_2_QE) != 0;
}

/* Reads once with the command, then without. */
XIP_PART void xip_quad(uint32_t ssi)
{
    const uint32_t frames = CTRLR0_QUAD | CTRLR0_BITS(32u) | CTRLR0_EEPROM_READ;
    const uint32_t reads = ADDRESS_BITS(32u) | WAIT_CYCLES(4u); /* 24, and 8 mode bits */
    ssi_set_up(ssi, frames, reads | COMMAND_8_BITS | SERIAL_COMMAND);
    SSI_DR0(ssi) = FLASH_READ_QUAD;
    SSI_DR0(ssi) = FLASH_CONTINUOUS;
    ssi_wait(ssi);
    ssi_set_up(ssi, frames, reads | COMMAND_NONE | ALL_QUAD | XIP_COMMAND(FLASH_CONTINUOUS));
}

XIP_PART void xip_serial(uint32_t ssi)
{
    SSI_SSIENR(ssi) = 0;
    SSI_BAUDR(ssi) = DIVISOR_SERIAL;
    ssi_set_up(ssi, CTRLR0_BITS(32u) | CTRLR0_EEPROM_READ,
               ADDRESS_BITS(24u) | COMMAND_8_BITS | XIP_COMMAND(FLASH_READ));
}

XIP_PART void set_up_pads(uint32_t pads)
{
    PADS_QSPI_SCLK(pads) = SCLK_FAST;
    for (uint32_t i = 0; i < 4; i++) {
        PADS_QSPI_SD(pads, i) &= ~SD_SCHMITT;
    }
}

/* From the state that the ROM leaves the flash in, which takes commands. */
XIP_PART void xip_start(void)
{
    set_up_pads(hidden(PADS_QSPI_BASE));
    uint32_t ssi = hidden(SSI_BASE);
    SSI_SSIENR(ssi) = 0;
    SSI_BAUDR(ssi) = DIVISOR_QUAD;
    SSI_RX_SAMPLE_DLY(ssi) = 1; /* the data of a clock comes when the next begins */
    SSI_CTRLR1(ssi) = 0;
    if (flash_is_quad(ssi)) {
        xip_quad(ssi);
    } else {
        xip_serial(ssi);
    }
}

#endif
