// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// The blue button, for Renode, whose own one is pressed by every reset of the machine.
using Antmicro.Renode.Core;
using Antmicro.Renode.Time;
using Antmicro.Renode.Utilities;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    public class Stm32F4Button : IPeripheral, IGPIOSender
    {
        public Stm32F4Button(IMachine machine)
        {
            this.machine = machine;
            IRQ = new GPIO();
        }

        // Whoever holds it goes on doing so.
        public void Reset()
        {
        }

        public void PressAndRelease()
        {
            Press();
            Release();
        }

        public void Press()
        {
            Set(true);
        }

        public void Release()
        {
            Set(false);
        }

        public GPIO IRQ { get; }

        private void Set(bool value)
        {
            var now = TimeDomainsManager.Instance.GetEffectiveVirtualTimeStamp();
            machine.HandleTimeDomainEvent(IRQ.Set, value, now);
        }

        private readonly IMachine machine;
    }
}
