// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// The independent watchdog of the STM32F405/407 for Renode (RM0090, chapter 21), which tells the RCC
// that the reset is its own: Renode's model does not.
using Antmicro.Renode.Core;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.Miscellaneous;
using Antmicro.Renode.Time;

namespace Antmicro.Renode.Peripherals.Timers
{
    public class Stm32F4Watchdog : IDoubleWordPeripheral, IKnownSize
    {
        public Stm32F4Watchdog(IMachine machine, Stm32F4Rcc rcc, ulong frequency)
        {
            timer = new LimitTimer(machine.ClockSource, frequency, this, "iwdg", Reloads, direction: Direction.Descending,
                workMode: WorkMode.OneShot, enabled: false, eventEnabled: true, autoUpdate: true);
            timer.LimitReached += () =>
            {
                this.Log(LogLevel.Warning, "the watchdog bites");
                rcc.Announce("watchdog");
                machine.RequestReset();
            };
            Reset();
        }

        public void Reset()
        {
            timer.Enabled = false;
            isOpen = false;
            prescaler = 0;
            reload = Reloads;
        }

        public uint ReadDoubleWord(long offset)
        {
            switch(offset)
            {
            case 0x04:
                return prescaler;
            case 0x08:
                return reload;
            default:
                return 0;
            }
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            if(offset == 0)
            {
                TakeKey(value);
            }
            else if(!isOpen)
            {
                this.Log(LogLevel.Warning, "a write that the key 0x5555 did not allow");
            }
            else if(offset == 0x04)
            {
                prescaler = value & 7;
                timer.Divider = 4ul << (int)(prescaler < 6 ? prescaler : 6);
            }
            else if(offset == 0x08)
            {
                reload = value & Reloads;
            }
        }

        public long Size => 0x400;

        private void TakeKey(uint value)
        {
            isOpen = value == 0x5555;
            if(value == 0xAAAA)
            {
                Feed();
            }
            else if(value == 0xCCCC && !timer.Enabled)
            {
                timer.Divider = 4;
                Feed();
                timer.Enabled = true;
            }
        }

        private void Feed()
        {
            timer.Limit = reload + 1; // and the count begins there
        }

        private bool isOpen;
        private uint prescaler;
        private uint reload;
        private readonly LimitTimer timer;

        private const uint Reloads = 0xFFF;
    }
}
