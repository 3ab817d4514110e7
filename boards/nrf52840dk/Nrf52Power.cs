// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// CLOCK and POWER of the nRF52840, which share their addresses (Product Specification v1.11), as
// far as firmware/port/nrf52 uses them. Renode's NRF_CLOCK has no RESETREAS: each reset would look
// as if power had come. Clocks start at once. Input 0 says that the watchdog is about to reset.

using System.Collections.Generic;

using Antmicro.Renode.Core;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    public class Nrf52Power : IDoubleWordPeripheral, IKnownSize, IGPIOReceiver
    {
        public Nrf52Power()
        {
            others = new Dictionary<long, uint>();
        }

        // Every reset comes through here: that of the core's SYSRESETREQ, and `machine Reset`, which
        // counts as a debugger's.
        public void Reset()
        {
            ResetReason |= bitten ? WatchdogReset : SoftReset;
            bitten = false;
            high = 0;
            low = 0;
            others.Clear();
        }

        public void OnGPIO(int number, bool value)
        {
            bitten |= value;
        }

        public uint ReadDoubleWord(long offset)
        {
            switch(offset)
            {
            case HfclkRun:
                return high & 1;
            case HfclkStat:
                return Running | (high & 1); // without the crystal it is the RC oscillator
            case LfclkRun:
                return low & 1;
            case LfclkStat:
                return low == 0 ? 0 : Running | Other(LfclkSrc);
            case ResetReas:
                return ResetReason;
            default:
                return Other(offset);
            }
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            switch(offset)
            {
            case HfclkStart:
                high = 1;
                break;
            case HfclkStop:
                high = 0;
                break;
            case LfclkStart:
                low = 1;
                break;
            case LfclkStop:
                low = 0;
                break;
            case ResetReas:
                ResetReason &= ~value;
                break;
            default:
                others[offset] = value;
                break;
            }
        }

        public uint ResetReason { get; set; }

        public long Size => 0x1000;

        private uint Other(long offset)
        {
            others.TryGetValue(offset, out var value);
            return value;
        }

        private uint high;
        private uint low;
        private bool bitten;

        private readonly Dictionary<long, uint> others;

        private const uint WatchdogReset = 1u << 1;
        private const uint SoftReset = 1u << 2;
        private const uint Running = 1u << 16;

        private const long HfclkStart = 0x000;
        private const long HfclkStop = 0x004;
        private const long LfclkStart = 0x008;
        private const long LfclkStop = 0x00C;
        private const long ResetReas = 0x400;
        private const long HfclkRun = 0x408;
        private const long HfclkStat = 0x40C;
        private const long LfclkRun = 0x414;
        private const long LfclkStat = 0x418;
        private const long LfclkSrc = 0x518;
    }
}
