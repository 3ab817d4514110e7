// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// The flash interface of the STM32F405/407 for Renode (RM0090, chapter 3): keys, twelve sectors,
// programming that only clears bits, words of the width that PSIZE says, errors that refuse new
// work until they are cleared, and a power that can be cut at any operation.
//
// The memory itself is a MappedMemory, which the CPU reads and executes at full speed. While PG is
// set its pages are accessed through the bus, where a hook keeps the rules. A store while PG is not
// set is not seen: the chip would refuse it. BSY is seen once after each operation, which takes no
// time: a program that polls it would be slow to emulate.
using System;
using System.IO;
using System.Linq;

using Antmicro.Renode.Core;
using Antmicro.Renode.Exceptions;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.CPU;
using Antmicro.Renode.Peripherals.Memory;

namespace Antmicro.Renode.Peripherals.MTD
{
    public class Stm32F4Flash : IDoubleWordPeripheral, IKnownSize
    {
        public Stm32F4Flash(IMachine machine, MappedMemory memory, ulong origin = 0x08000000)
        {
            this.machine = machine;
            this.memory = memory;
            this.origin = origin;
            memory.WriteBytes(0, Enumerable.Repeat((byte)0xFF, (int)memory.Size).ToArray());
            Reset();
        }

        public void Reset()
        {
            accessControl = 0;
            status = 0;
            control = Lock;
            keysGiven = 0;
            isBarred = false;
            isBusy = false;
            LetStoresBy();
        }

        public uint ReadDoubleWord(long offset)
        {
            switch(offset)
            {
            case 0x00:
                return accessControl;
            case 0x0C:
                var value = status | (isBusy ? Busy : 0);
                isBusy = false;
                return value;
            case 0x10:
                return control;
            case 0x14:
                return 0x0FFFAAED; // option bytes as they come from the factory, locked
            default:
                return 0;
            }
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            switch(offset)
            {
            case 0x00:
                WriteAccessControl(value);
                break;
            case 0x04:
                TakeKey(value);
                break;
            case 0x0C:
                status &= ~(value & (Errors | EndOfOperation));
                break;
            case 0x10:
                WriteControl(value);
                break;
            default:
                this.Log(LogLevel.Warning, "write of 0x{0:X8} to 0x{1:X}, which is not modelled", value, offset);
                break;
            }
        }

        /* For the monitor: docs/RENODE.md. */

        public void LoadFrom(string file)
        {
            var content = File.ReadAllBytes(file);
            if(content.Length != memory.Size)
            {
                throw new RecoverableException($"{file} has {content.Length} bytes, not {memory.Size}");
            }
            memory.WriteBytes(0, content);
            IsCut = false;
        }

        public void SaveTo(string file)
        {
            File.WriteAllBytes(file, memory.ReadBytes(0, (int)memory.Size));
        }

        public void CutAfter(int count, int seed)
        {
            cutAt = count == 0 ? 0 : Operations + count;
            random = new Random(seed);
        }

        public int Operations { get; private set; }

        public bool IsCut { get; private set; }

        public long Size => 0x400;

        private void WriteAccessControl(uint value)
        {
            if((value & CacheResets) != 0 && ((accessControl | value) & CachesOn) != 0)
            {
                this.Log(LogLevel.Warning, "a cache is reset while it is on");
            }
            accessControl = value;
        }

        private void TakeKey(uint value)
        {
            if(isBarred || value != Keys[keysGiven])
            {
                this.Log(LogLevel.Warning, "a wrong key: locked until the next reset");
                isBarred = true;
            }
            else if(++keysGiven == Keys.Length)
            {
                keysGiven = 0;
                control &= ~Lock;
            }
        }

        private void WriteControl(uint value)
        {
            if((control & Lock) != 0)
            {
                this.Log(LogLevel.Warning, "write of 0x{0:X8} to CR, which is locked", value);
                return;
            }
            control = value & ~Start;
            if((value & Programming) != 0)
            {
                StopStores();
            }
            else
            {
                LetStoresBy();
            }
            if((value & Start) != 0)
            {
                Erase(value);
            }
        }

        private void Erase(uint value)
        {
            var sector = (int)(value >> 3) & 0xF;
            if((value & (SectorErase | MassErase)) != SectorErase || sector >= Sectors.Length - 1 || (status & Errors) != 0)
            {
                this.Log(LogLevel.Warning, "an erase that is not understood: CR 0x{0:X8}, SR 0x{1:X8}", value, status);
                status |= SequenceError;
                return;
            }
            var size = Sectors[sector + 1] - Sectors[sector];
            var before = memory.ReadBytes(Sectors[sector], size);
            var after = Enumerable.Repeat((byte)0xFF, size).ToArray();
            memory.WriteBytes(Sectors[sector], Land(before, after));
            isBusy = true;
        }

        private uint Program(uint value, long offset, int width)
        {
            var before = memory.ReadBytes(offset, width);
            var after = BitConverter.GetBytes(value).Take(width).Select((part, i) => (byte)(part & before[i])).ToArray();
            if((control & Lock) != 0 || (control & Programming) == 0 || (status & Errors) != 0)
            {
                this.Log(LogLevel.Warning, "a store to 0x{0:X} that programs nothing: CR 0x{1:X8}, SR 0x{2:X8}", offset, control, status);
                status |= SequenceError;
                after = before;
            }
            else if(1 << (int)((control >> 8) & 3) != width)
            {
                status |= ParallelismError;
                after = before;
            }
            else
            {
                after = Land(before, after);
                isBusy = true;
            }
            return BitConverter.ToUInt32(after.Concat(new byte[4]).Take(4).ToArray(), 0);
        }

        // What is in the flash after an operation: all of it, nothing when the power has gone, or in
        // the operation in which it goes each bit that would change, or not.
        private byte[] Land(byte[] before, byte[] after)
        {
            if(IsCut)
            {
                return before;
            }
            Operations++;
            if(Operations != cutAt)
            {
                return after;
            }
            IsCut = true;
            this.Log(LogLevel.Warning, "power cut in operation {0}", Operations);
            machine.PauseAndRequestEmulationPause();
            var chosen = new byte[before.Length];
            random.NextBytes(chosen);
            return before.Select((was, i) => (byte)(was ^ ((was ^ after[i]) & chosen[i]))).ToArray();
        }

        private void StopStores()
        {
            if(!isHooked)
            {
                var bus = machine.GetSystemBus(this);
                bus.SetHookBeforePeripheralWrite<uint>(memory, (value, offset) => Program(value, offset, 4));
                bus.SetHookBeforePeripheralWrite<ushort>(memory, (value, offset) => (ushort)Program(value, offset, 2));
                bus.SetHookBeforePeripheralWrite<byte>(memory, (value, offset) => (byte)Program(value, offset, 1));
                isHooked = true;
            }
            if(!storesAreStopped)
            {
                ForEachPage((cpu, page) => cpu.SetPageAccessViaIo(page));
                storesAreStopped = true;
            }
        }

        private void LetStoresBy()
        {
            if(storesAreStopped)
            {
                ForEachPage((cpu, page) => cpu.ClearPageAccessViaIo(page));
                storesAreStopped = false;
            }
        }

        // Ascending, as the CPU keeps them. The first page, with the vectors, is left out: the CPU
        // can have 1024 of them, and a debugger may want some.
        private void ForEachPage(Action<ICPUWithMappedMemory, ulong> act)
        {
            foreach(var cpu in machine.GetSystemBus(this).GetCPUs().OfType<ICPUWithMappedMemory>())
            {
                for(var page = origin + FirstPage; page < origin + (ulong)memory.Size; page += PageSize)
                {
                    act(cpu, page);
                }
            }
        }

        private uint accessControl;
        private uint status;
        private uint control;
        private int keysGiven;
        private bool isBarred;
        private bool isBusy;
        private bool isHooked;
        private bool storesAreStopped;
        private int cutAt;
        private Random random = new Random(0);

        private readonly IMachine machine;
        private readonly MappedMemory memory;
        private readonly ulong origin;

        private static readonly uint[] Keys = { 0x45670123, 0xCDEF89AB };
        private static readonly int[] Sectors =
        {
            0x0, 0x4000, 0x8000, 0xC000, 0x10000, 0x20000, 0x40000, 0x60000, 0x80000, 0xA0000, 0xC0000, 0xE0000, 0x100000,
        };

        private const uint CachesOn = 3u << 9;
        private const uint CacheResets = 3u << 11;
        private const uint EndOfOperation = 1u << 0;
        private const uint ParallelismError = 1u << 6;
        private const uint SequenceError = 1u << 7;
        private const uint Errors = 0xF2;
        private const uint Busy = 1u << 16;
        private const uint Programming = 1u << 0;
        private const uint SectorErase = 1u << 1;
        private const uint MassErase = 1u << 2;
        private const uint Start = 1u << 16;
        private const uint Lock = 1u << 31;
        private const ulong FirstPage = 0x4000;
        private const ulong PageSize = 0x400;
    }
}
