// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// UARTE of the nRF52840 (Product Specification v1.11, chapter UARTE). Renode's own knows no
// shortcuts, takes bytes as fast as they come, and does not move the pin of its line. Here they come
// at the baud rate; each pulls the line low for a moment, whether anybody receives or not.

using System;
using System.Collections.Generic;

using Antmicro.Renode.Core;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.Miscellaneous;
using Antmicro.Renode.Time;

namespace Antmicro.Renode.Peripherals.UART
{
    public class Nrf52Uarte : UARTBase, IDoubleWordPeripheral, IKnownSize, INRFEventProvider
    {
        public Nrf52Uarte(IMachine machine) : base(machine)
        {
            this.machine = machine;
            bus = machine.GetSystemBus(this);
            registers = new Dictionary<long, uint>();
            IRQ = new GPIO();
            Line = new GPIO();
            Line.Set();
        }

        public override void Reset()
        {
            lock(innerLock)
            {
                base.Reset();
                registers.Clear();
                interrupts = 0;
                receiving = false;
                IRQ.Unset();
            }
        }

        public uint ReadDoubleWord(long offset)
        {
            lock(innerLock)
            {
                switch(offset)
                {
                case IntEn:
                case IntEnSet:
                case IntEnClr:
                    return interrupts;
                default:
                    return Register(offset);
                }
            }
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            lock(innerLock)
            {
                if(offset < FirstEvent)
                {
                    Trigger(offset, value);
                    return;
                }
                switch(offset)
                {
                case IntEn:
                    interrupts = value;
                    break;
                case IntEnSet:
                    interrupts |= value;
                    break;
                case IntEnClr:
                    interrupts &= ~value;
                    break;
                default:
                    registers[offset] = value;
                    break;
                }
                UpdateInterrupt();
            }
        }

        public override Bits StopBits => Bits.One;

        public override Parity ParityBit => Parity.None;

        public override uint BaudRate => (uint)((ulong)Register(BaudRateRegister) * 16000000 >> 32);

        public long Size => 0x1000;

        public GPIO IRQ { get; }

        // To the input pin.
        public GPIO Line { get; }

        public event Action<uint> EventTriggered;

        protected override void CharWritten()
        {
            if(!arriving)
            {
                Schedule();
            }
        }

        protected override void QueueEmptied()
        {
        }

        private void Schedule()
        {
            arriving = true;
            machine.ScheduleAction(TimeInterval.FromMicroseconds(ByteMicroseconds), _ => Arrive());
        }

        private void Arrive()
        {
            lock(innerLock)
            {
                arriving = false;
                if(!TryGetCharacter(out var value))
                {
                    return;
                }
                if(Count != 0)
                {
                    Schedule();
                }
                Pulse();
                if(receiving)
                {
                    Store(value);
                }
            }
        }

        // Twice: after a reset the pin takes the first edge for none.
        private void Pulse()
        {
            for(var i = 0; i < 2; i++)
            {
                Line.Unset();
                Line.Set();
            }
        }

        private void Store(byte value)
        {
            bus.WriteByte(to + amount, value);
            amount++;
            Raise(RxdRdy);
            if(amount == most)
            {
                EndReception();
                if((Register(Shorts) & EndRxStartRx) != 0)
                {
                    StartReception();
                }
            }
        }

        private void EndReception()
        {
            receiving = false;
            registers[RxdAmount] = amount;
            Raise(EndRx);
        }

        private void StartReception()
        {
            if(Register(Enable) != Enabled)
            {
                this.Log(LogLevel.Error, "STARTRX while it is not enabled");
                return;
            }
            to = Register(RxdPtr);
            most = Register(RxdMaxCnt);
            amount = 0;
            receiving = true;
            Raise(RxStarted);
        }

        private void StopReception()
        {
            if(receiving)
            {
                EndReception();
            }
            Raise(RxTo);
        }

        private void Send()
        {
            if(Register(Enable) != Enabled)
            {
                this.Log(LogLevel.Error, "STARTTX while it is not enabled");
                return;
            }
            var from = Register(TxdPtr);
            if(from < RamStart)
            {
                this.Log(LogLevel.Error, "the DMA reads nothing but RAM: 0x{0:X}", from);
                return;
            }
            Raise(TxStarted);
            foreach(var value in bus.ReadBytes(from, (int)Register(TxdMaxCnt)))
            {
                TransmitCharacter(value);
                Raise(TxdRdy);
            }
            registers[TxdAmount] = Register(TxdMaxCnt);
            Raise(EndTx);
        }

        private void Trigger(long task, uint value)
        {
            if(value != 1)
            {
                return;
            }
            switch(task)
            {
            case StartRx:
                StartReception();
                break;
            case StopRx:
                StopReception();
                break;
            case StartTx:
                Send();
                break;
            case StopTx:
                Raise(TxStopped);
                break;
            default:
                this.Log(LogLevel.Warning, "no such task: 0x{0:X}", task);
                break;
            }
        }

        private void Raise(long offset)
        {
            registers[offset] = 1;
            EventTriggered?.Invoke((uint)offset);
            UpdateInterrupt();
        }

        private void UpdateInterrupt()
        {
            var pending = false;
            for(var bit = 0; bit < EventCount; bit++)
            {
                pending |= (interrupts >> bit & 1) != 0 && Register(FirstEvent + 4 * bit) != 0;
            }
            IRQ.Set(pending);
        }

        private uint Register(long offset)
        {
            registers.TryGetValue(offset, out var value);
            return value;
        }

        private uint interrupts;
        private bool receiving;
        private bool arriving;
        private uint to;
        private uint most;
        private uint amount;

        private readonly IMachine machine;
        private readonly IBusController bus;
        private readonly Dictionary<long, uint> registers;

        private const ulong ByteMicroseconds = 87; // ten bits at 115,200 baud
        private const uint RamStart = 0x20000000;
        private const uint Enabled = 8;
        private const uint EndRxStartRx = 1u << 5;
        private const int EventCount = 23;

        private const long StartRx = 0x000;
        private const long StopRx = 0x004;
        private const long StartTx = 0x008;
        private const long StopTx = 0x00C;
        private const long FirstEvent = 0x100;
        private const long RxdRdy = 0x108;
        private const long EndRx = 0x110;
        private const long TxdRdy = 0x11C;
        private const long EndTx = 0x120;
        private const long RxTo = 0x144;
        private const long RxStarted = 0x14C;
        private const long TxStarted = 0x150;
        private const long TxStopped = 0x158;
        private const long Shorts = 0x200;
        private const long IntEn = 0x300;
        private const long IntEnSet = 0x304;
        private const long IntEnClr = 0x308;
        private const long Enable = 0x500;
        private const long BaudRateRegister = 0x524;
        private const long RxdPtr = 0x534;
        private const long RxdMaxCnt = 0x538;
        private const long RxdAmount = 0x53C;
        private const long TxdPtr = 0x544;
        private const long TxdMaxCnt = 0x548;
        private const long TxdAmount = 0x54C;
    }
}
