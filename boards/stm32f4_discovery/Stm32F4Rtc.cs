// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// The real-time clock of the STM32F405/407 for Renode (RM0090, chapter 26): the seconds of the
// calendar, their fraction, and the wake-up timer. Renode's model has an event for each cycle of the
// fraction, which takes more time than the rest of the chip together. A reset of the chip leaves it
// alone, that of the backup domain is not modelled.
using Antmicro.Renode.Core;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Time;

namespace Antmicro.Renode.Peripherals.Timers
{
    public class Stm32F4Rtc : IDoubleWordPeripheral, IKnownSize
    {
        public Stm32F4Rtc(IMachine machine, ulong frequency)
        {
            count = new LimitTimer(machine.ClockSource, frequency, this, "rtc", Minute, direction: Direction.Ascending, enabled: true);
            wake = new LimitTimer(machine.ClockSource, frequency, this, "wakeup", 1, direction: Direction.Ascending,
                enabled: false, eventEnabled: true, autoUpdate: true);
            wake.LimitReached += () =>
            {
                flags |= WakeFlag;
                Update();
            };
            WakeupIRQ = new GPIO();
            Prescale(0x7F00FF);
        }

        public void Reset()
        {
            keysGiven = 0;
        }

        public uint ReadDoubleWord(long offset)
        {
            switch(offset)
            {
            case 0x00:
                var seconds = count.Value / perSecond % 60;
                return (uint)(seconds / 10 << 4 | seconds % 10);
            case 0x08:
                return control;
            case 0x0C:
                return flags | (flags & Init) >> 1 | (wake.Enabled ? 0 : WakeWritable);
            case 0x10:
                return prescalers;
            case 0x14:
                return reload;
            case 0x28:
                return (uint)(perSecond - 1 - count.Value % perSecond);
            default:
                return 0;
            }
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            if(offset == 0x24)
            {
                keysGiven = value == Keys[keysGiven % 2] ? (keysGiven % 2) + 1 : 0;
                return;
            }
            if(keysGiven != 2)
            {
                this.Log(LogLevel.Warning, "a write that the keys did not allow");
                return;
            }
            switch(offset)
            {
            case 0x08:
                WriteControl(value);
                break;
            case 0x0C:
                flags = flags & value & ~Init | value & Init;
                Update();
                break;
            case 0x10:
                if((flags & Init) != 0)
                {
                    Prescale(value);
                }
                break;
            case 0x14:
                WriteReload(value);
                break;
            default:
                this.Log(LogLevel.Warning, "write of 0x{0:X8} to 0x{1:X}, which is not modelled", value, offset);
                break;
            }
        }

        public GPIO WakeupIRQ { get; }

        public long Size => 0x400;

        // Cycles of a second, which count at the frequency of the asynchronous prescaler.
        private void Prescale(uint value)
        {
            prescalers = value;
            perSecond = (value & 0x7FFF) + 1;
            count.Divider = (value >> 16 & 0x7F) + 1;
            count.Limit = 60 * (ulong)perSecond;
        }

        private void WriteControl(uint value)
        {
            if((value & ClockOfWake) > 3)
            {
                this.Log(LogLevel.Warning, "the wake-up timer counts seconds, which is not modelled");
            }
            var starts = (value & WakeOn) != 0 && (control & WakeOn) == 0;
            control = value;
            if(starts)
            {
                wake.Divider = 16u >> (int)(value & 3);
                wake.Limit = reload + 1;
            }
            wake.Enabled = (value & WakeOn) != 0;
            Update();
        }

        private void WriteReload(uint value)
        {
            if(wake.Enabled)
            {
                this.Log(LogLevel.Warning, "the wake-up timer is changed while it runs");
                return;
            }
            reload = value & 0xFFFF;
        }

        private void Update()
        {
            WakeupIRQ.Set((flags & WakeFlag) != 0 && (control & WakeInterrupt) != 0);
        }

        private uint control;
        private uint flags;
        private uint prescalers;
        private uint perSecond;
        private uint reload = 0xFFFF;
        private int keysGiven;
        private readonly LimitTimer count;
        private readonly LimitTimer wake;

        private static readonly uint[] Keys = { 0xCA, 0x53 };

        private const uint ClockOfWake = 7;
        private const uint WakeOn = 1u << 10;
        private const uint WakeInterrupt = 1u << 14;
        private const uint WakeWritable = 1u << 2;
        private const uint Init = 1u << 7;
        private const uint WakeFlag = 1u << 10;
        private const ulong Minute = 60 * 256;
    }
}
