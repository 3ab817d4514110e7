// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// What the STM32F405/407 measures its slow oscillator LSI with, for Renode: channel 4 of TIM5, which
// counts 84 MHz, captures every eighth edge of LSI (RM0090, 18.4.21). Only that: a capture is there
// whenever somebody looks, as if he had waited for it.
using System.Collections.Generic;

using Antmicro.Renode.Core;
using Antmicro.Renode.Peripherals.Bus;

namespace Antmicro.Renode.Peripherals.Timers
{
    public class Stm32F4SlowClock : IDoubleWordPeripheral, IKnownSize
    {
        public Stm32F4SlowClock(ulong frequency, ulong slowFrequency)
        {
            step = (uint)(8 * frequency / slowFrequency);
        }

        public void Reset()
        {
            registers.Clear();
            captured = 0;
        }

        public uint ReadDoubleWord(long offset)
        {
            switch(offset)
            {
            case Status:
                return IsCapturing ? CaptureFlag : 0;
            case Capture:
                captured += IsCapturing ? step : 0;
                return captured;
            default:
                return Get(offset);
            }
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            registers[offset] = value;
        }

        public long Size => 0x400;

        private uint Get(long offset)
        {
            return registers.TryGetValue(offset, out var value) ? value : 0;
        }

        // Counting, channel 4 on, from its own input, every eighth edge, which is LSI's.
        private bool IsCapturing =>
            (Get(0x00) & 1) != 0 && (Get(0x20) & 1u << 12) != 0 && (Get(0x1C) >> 8 & 0xF) == 0xD && (Get(0x50) >> 6 & 3) == 1;

        private uint captured;
        private readonly uint step;
        private readonly Dictionary<long, uint> registers = new Dictionary<long, uint>();

        private const uint CaptureFlag = 1u << 4;
        private const long Status = 0x10;
        private const long Capture = 0x40;
    }
}
