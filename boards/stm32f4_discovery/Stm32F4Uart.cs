// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// A USART of the STM32F405/407 for Renode: Renode's own, with the line of received bytes, which
// falls at the beginning of each and can wake the chip, while its receiver may be off.
using Antmicro.Renode.Core;

namespace Antmicro.Renode.Peripherals.UART
{
    public class Stm32F4Uart : STM32_UART, IUART
    {
        public Stm32F4Uart(IMachine machine, uint frequency) : base(machine, frequency)
        {
            Line = new GPIO();
        }

        // In place of the one of the class above, for whoever knows an IUART.
        public new void WriteChar(byte value)
        {
            Line.Set();
            Line.Unset();
            Line.Set();
            base.WriteChar(value);
        }

        public GPIO Line { get; }
    }
}
