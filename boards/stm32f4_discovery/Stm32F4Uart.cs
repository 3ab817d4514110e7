// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// A USART of the STM32F405/407 for Renode: Renode's own, which takes bytes as fast as they come.
// Here they come at the baud rate; each pulls the line low at its beginning and can wake the chip,
// while its receiver may be off.
using System.Collections.Generic;

using Antmicro.Renode.Core;
using Antmicro.Renode.Time;

namespace Antmicro.Renode.Peripherals.UART
{
    public class Stm32F4Uart : STM32_UART, IUART
    {
        public Stm32F4Uart(IMachine machine, uint frequency) : base(machine, frequency)
        {
            this.machine = machine;
            Line = new GPIO();
        }

        // In place of the one of the class above, for whoever knows an IUART.
        public new void WriteChar(byte value)
        {
            lock(coming)
            {
                coming.Enqueue(value);
                if(coming.Count == 1)
                {
                    Schedule();
                }
            }
        }

        public GPIO Line { get; }

        private void Schedule()
        {
            var microseconds = BitsOfByte * 1000000 / (BaudRate == 0 ? UsualBaudRate : BaudRate);
            machine.ScheduleAction(TimeInterval.FromMicroseconds(microseconds), _ => Arrive());
        }

        private void Arrive()
        {
            byte value;
            lock(coming)
            {
                value = coming.Dequeue();
                if(coming.Count != 0)
                {
                    Schedule();
                }
            }
            Line.Set();
            Line.Unset();
            Line.Set();
            base.WriteChar(value);
        }

        private readonly IMachine machine;
        private readonly Queue<byte> coming = new Queue<byte>();

        private const uint BitsOfByte = 10;
        private const uint UsualBaudRate = 115200;
    }
}
