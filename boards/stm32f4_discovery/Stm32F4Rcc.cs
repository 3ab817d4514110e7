// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// Reset and clock control of the STM32F405/407 for Renode (RM0090, chapter 7): oscillators that are
// ready at once, a clock switch that follows only to what is ready, and the flags of the last reset.
// Clocks are not modelled: peripherals run at the frequencies of the .repl, gated or not.
using System.Collections.Generic;

using Antmicro.Renode.Core;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    public class Stm32F4Rcc : IDoubleWordPeripheral, IKnownSize
    {
        public Stm32F4Rcc()
        {
            flags = PowerFlags;
            ResetRegisters();
        }

        // A reset that nobody has announced is one by software, or by the monitor or a debugger,
        // which do the same. Flags add up until they are cleared.
        public void Reset()
        {
            flags |= PinFlag | (announced == 0 ? SoftwareFlag : announced);
            announced = 0;
            ResetRegisters();
        }

        // What the next reset will be: "watchdog", "pin", "brown-out" or "power".
        public void Announce(string cause)
        {
            if(!Causes.TryGetValue(cause, out announced))
            {
                this.Log(LogLevel.Error, "no such cause of a reset: {0}", cause);
            }
        }

        public uint ReadDoubleWord(long offset)
        {
            switch(offset)
            {
            case Control:
                return WithReady(Get(Control));
            case Configuration:
                return Get(Configuration) & ~0xCu | Active() << 2;
            case Status:
                return flags | Get(Status) & 1 | (Get(Status) & 1) << 1;
            default:
                return Get(offset);
            }
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            if(offset == Status && (value & RemoveFlags) != 0)
            {
                flags = 0;
            }
            if(offset == PllConfiguration && (Get(Control) & PllOn) != 0)
            {
                this.Log(LogLevel.Warning, "the PLL is changed while it is on");
                return;
            }
            registers[offset] = value;
        }

        public long Size => 0x400;

        private void ResetRegisters()
        {
            var backup = Get(BackupDomain);
            registers.Clear();
            registers[BackupDomain] = backup;
            registers[Control] = 0x83;
            registers[PllConfiguration] = 0x24003010;
        }

        private uint Get(long offset)
        {
            return registers.TryGetValue(offset, out var value) ? value : 0;
        }

        // HSI, HSE, PLL and PLLI2S: each is ready, one bit higher, where it is on.
        private static uint WithReady(uint control)
        {
            const uint on = 1u << 0 | 1u << 16 | PllOn | 1u << 26;
            return control & ~(on << 1) | (control & on) << 1;
        }

        private uint Active()
        {
            var wanted = Get(Configuration) & 3;
            var isReady = wanted < 3 && (Get(Control) & OnBits[wanted]) != 0;
            return isReady ? wanted : 0;
        }

        private uint flags;
        private uint announced;
        private readonly Dictionary<long, uint> registers = new Dictionary<long, uint>();

        private static readonly uint[] OnBits = { 1u << 0, 1u << 16, PllOn };
        private static readonly Dictionary<string, uint> Causes = new Dictionary<string, uint>
        {
            { "watchdog", 1u << 29 },
            { "pin", PinFlag },
            { "brown-out", 1u << 25 },
            { "power", PowerFlags },
        };

        private const uint PowerFlags = 7u << 25; // POR, PIN and BOR
        private const uint PinFlag = 1u << 26;
        private const uint SoftwareFlag = 1u << 28;
        private const uint RemoveFlags = 1u << 24;
        private const uint PllOn = 1u << 24;
        private const long Control = 0x00;
        private const long PllConfiguration = 0x04;
        private const long Configuration = 0x08;
        private const long BackupDomain = 0x70;
        private const long Status = 0x74;
    }
}
