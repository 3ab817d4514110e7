// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// The watchdog of the nRF52840 (Product Specification v1.11, chapter WDT), with one reload register.
// Renode's own goes on while the CPU sleeps, whatever CONFIG says: a device that sleeps for longer
// than the watchdog's time would be reset. Renode takes an instruction that branches to itself for
// sleep too, but a CPU that hangs there is awake. Unlike the chip's, a reset by software stops this
// one.

using Antmicro.Renode.Core;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.CPU;
using Antmicro.Renode.Time;

namespace Antmicro.Renode.Peripherals.Timers
{
    public class Nrf52Wdt : IDoubleWordPeripheral, IKnownSize
    {
        public Nrf52Wdt(IMachine machine, ICPUWithHooks cpu)
        {
            this.machine = machine;
            this.cpu = cpu;
            bus = machine.GetSystemBus(this);
            IRQ = new GPIO();
            Bite = new GPIO();
            timer = new LimitTimer(machine.ClockSource, Hertz, this, "wdt", limit: uint.MaxValue,
                workMode: WorkMode.OneShot, eventEnabled: true);
            timer.LimitReached += Expire;
            cpu.AddHookAtWfiStateChange(SetAsleep);
            Reset();
        }

        public void Reset()
        {
            timer.Reset();
            IRQ.Unset();
            Bite.Unset();
            running = false;
            expired = false;
            asleep = false;
            interrupt = false;
            timeout = 0;
            reload = uint.MaxValue;
            config = RunInSleep;
        }

        public uint ReadDoubleWord(long offset)
        {
            switch(offset)
            {
            case Timeout:
                return timeout;
            case IntEnSet:
            case IntEnClr:
                return interrupt ? 1u : 0;
            case RunStatus:
                return running ? 1u : 0;
            case ReqStatus:
                return 1;
            case Crv:
                return reload;
            case RrEn:
                return 1;
            case Config:
                return config;
            default:
                this.Log(LogLevel.Warning, "no such register to read: 0x{0:X}", offset);
                return 0;
            }
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            switch(offset)
            {
            case Start:
                Run();
                break;
            case Timeout:
                timeout = value;
                break;
            case IntEnSet:
                interrupt |= (value & 1) != 0;
                break;
            case IntEnClr:
                interrupt &= (value & 1) == 0;
                break;
            case Rr0:
                Feed(value);
                break;
            default:
                SetUp(offset, value);
                break;
            }
            IRQ.Set(interrupt && timeout != 0);
        }

        public long Size => 0x1000;

        public GPIO IRQ { get; }

        // To the model of POWER, just before it resets.
        public GPIO Bite { get; }

        private void SetUp(long offset, uint value)
        {
            if(running)
            {
                this.Log(LogLevel.Error, "0x{0:X} cannot be set while it runs", offset);
                return;
            }
            switch(offset)
            {
            case Crv:
                reload = value;
                break;
            case Config:
                config = value;
                break;
            case RrEn:
                break;
            default:
                this.Log(LogLevel.Warning, "no such register to write: 0x{0:X}", offset);
                break;
            }
        }

        private void Run()
        {
            if(running)
            {
                return;
            }
            running = true;
            Begin((ulong)reload + 1);
        }

        private void Feed(uint value)
        {
            if(value == ReloadKey && running && !expired)
            {
                Begin((ulong)reload + 1);
            }
        }

        private void Begin(ulong cycles)
        {
            timer.Limit = cycles;
            timer.Value = cycles;
            timer.Enabled = IsCounting;
        }

        private void SetAsleep(bool value)
        {
            asleep = value && bus.ReadWord(cpu.PC.RawValue) != BranchToItself;
            if(running)
            {
                timer.Enabled = IsCounting;
            }
        }

        // Two cycles before the reset it says so.
        private void Expire()
        {
            if(expired || !interrupt)
            {
                this.Log(LogLevel.Info, "reset by the watchdog");
                Bite.Set();
                machine.RequestReset();
                return;
            }
            expired = true;
            timeout = 1;
            IRQ.Set();
            Begin(WarningCycles);
        }

        private bool IsCounting => !asleep || (config & RunInSleep) != 0;

        private bool running;
        private bool expired;
        private bool asleep;
        private bool interrupt;
        private uint timeout;
        private uint reload;
        private uint config;

        private readonly IMachine machine;
        private readonly ICPUWithHooks cpu;
        private readonly IBusController bus;
        private readonly LimitTimer timer;

        private const ulong Hertz = 32768;
        private const ulong WarningCycles = 2;
        private const ushort BranchToItself = 0xE7FE; // b .
        private const uint RunInSleep = 1;
        private const uint ReloadKey = 0x6E524635;

        private const long Start = 0x000;
        private const long Timeout = 0x100;
        private const long IntEnSet = 0x304;
        private const long IntEnClr = 0x308;
        private const long RunStatus = 0x400;
        private const long ReqStatus = 0x404;
        private const long Crv = 0x504;
        private const long RrEn = 0x508;
        private const long Config = 0x50C;
        private const long Rr0 = 0x600;
    }
}
