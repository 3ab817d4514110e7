// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
//
// The NVMC of the nRF52840 and the rules of its flash (Product Specification v1.11, chapter NVMC),
// for Renode, which has none: words are written only while CONFIG allows it, bits are only cleared,
// pages are erased, in one piece or in parts, and power may fail in between. docs/RENODE.md has the
// members that torpor uses.
//
// Stores reach the memory before this model knows of them. While writing is allowed it compares the
// memory with a copy whenever a register is accessed, and drivers read READY after each word; what
// was stored otherwise is undone when writing is allowed the next time. A store of what is there
// already is not seen, and not counted. Nothing takes time here.

using System;
using System.Collections.Generic;
using System.IO;

using Antmicro.Renode.Core;
using Antmicro.Renode.Exceptions;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.Memory;

namespace Antmicro.Renode.Peripherals.MTD
{
    public class Nrf52Nvmc : IDoubleWordPeripheral, IKnownSize
    {
        public Nrf52Nvmc(IMachine machine, MappedMemory flash)
        {
            this.machine = machine;
            this.flash = flash;
            copy = new byte[flash.Size];
            seen = new byte[flash.Size];
            Power();
        }

        // What is in the flash, and how worn its words are, survives a reset.
        public void Reset()
        {
            Look();
            config = ReadOnly;
            partMilliseconds = DefaultPart;
            cache = 0;
        }

        public uint ReadDoubleWord(long offset)
        {
            Look();
            switch(offset)
            {
            case Ready:
            case ReadyNext:
                return 1;
            case Config:
                return config;
            case ErasePagePartialCfg:
                return partMilliseconds;
            case ICacheCnf:
                return cache;
            default:
                this.Log(LogLevel.Warning, "no such register to read: 0x{0:X}", offset);
                return 0;
            }
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            Look();
            switch(offset)
            {
            case Config:
                SetConfig(value & 3);
                break;
            case ErasePage:
                ErasePart(value, PageMilliseconds);
                break;
            case ErasePagePartial:
                ErasePart(value, partMilliseconds);
                break;
            case ErasePagePartialCfg:
                partMilliseconds = value & 0x7F;
                break;
            case ICacheCnf:
                cache = value;
                break;
            default:
                this.Log(LogLevel.Warning, "no such register to write: 0x{0:X}", offset);
                break;
            }
        }

        public void LoadFrom(string file)
        {
            var content = File.ReadAllBytes(file);
            if(content.Length > copy.Length)
            {
                throw new RecoverableException($"{file} has more bytes than the flash");
            }
            Power();
            flash.WriteBytes(0, content, 0, content.Length);
            Remember();
        }

        public void SaveTo(string file)
        {
            Look();
            File.WriteAllBytes(file, flash.ReadBytes(0, copy.Length));
        }

        public void CutAfter(int count, int seed)
        {
            remaining = count;
            noise = new Random(seed);
        }

        public long Operations { get; private set; }

        public bool IsCut { get; private set; }

        public long Size => 0x1000;

        private void Power()
        {
            flash.SetRange(0, copy.Length, Erased);
            Remember();
            writes.Clear();
            parts.Clear();
            erased.Clear();
            IsCut = false;
            config = ReadOnly;
            partMilliseconds = DefaultPart;
            started = false;
        }

        private void Remember()
        {
            flash.ReadBytes(0, copy.Length, copy, 0);
        }

        private void SetConfig(uint value)
        {
            if(value == (WriteEnabled | EraseEnabled))
            {
                this.Log(LogLevel.Error, "writing and erasing must not be allowed at once");
            }
            if(config == ReadOnly && value != ReadOnly)
            {
                Allow();
            }
            config = value;
        }

        // What somebody has put into the memory before the first time is there as after LoadFrom.
        private void Allow()
        {
            if(!started)
            {
                started = true;
                Remember();
                return;
            }
            for(var at = NextChange(0); at >= 0; at = NextChange(at))
            {
                this.Log(LogLevel.Error, "stored at 0x{0:X} while the flash was read only", at);
                flash.WriteBytes(at, copy, at, Word);
            }
        }

        // Finds the words that were stored since the last look, and gives them what the flash makes
        // of them. The next word is the likeliest.
        private void Look()
        {
            if(config == ReadOnly)
            {
                return;
            }
            if(Program(expected))
            {
                return;
            }
            for(var at = NextChange(0); at >= 0; at = NextChange(at))
            {
                Program(at);
            }
        }

        private bool Program(int at)
        {
            if(at + Word > copy.Length)
            {
                return false;
            }
            var stored = flash.ReadDoubleWord(at);
            var before = BitConverter.ToUInt32(copy, at);
            if(stored == before)
            {
                return false;
            }
            Put(at, config == WriteEnabled ? Programmed(at, before, stored) : Refused(at, before));
            expected = at + Word;
            return true;
        }

        private uint Refused(int at, uint before)
        {
            this.Log(LogLevel.Error, "stored at 0x{0:X} while CONFIG is {1}", at, config);
            return before;
        }

        private uint Programmed(int at, uint before, uint stored)
        {
            if(IsCut)
            {
                return before;
            }
            if(parts.ContainsKey(at / PageBytes))
            {
                this.Log(LogLevel.Error, "the page of 0x{0:X} is not erased to the end", at);
            }
            writes.TryGetValue(at, out var count);
            writes[at] = count + 1;
            if(count == MostWrites)
            {
                this.Log(LogLevel.Error, "written more than twice between erases: 0x{0:X}", at);
            }
            erased.Remove(at / PageBytes);
            var after = before & stored;
            return BeginOperation() ? after : Torn(before, after);
        }

        private void ErasePart(uint address, uint milliseconds)
        {
            if(config != EraseEnabled)
            {
                this.Log(LogLevel.Error, "erase of 0x{0:X} while CONFIG is {1}", address, config);
                return;
            }
            if(address % PageBytes != 0 || address >= copy.Length)
            {
                this.Log(LogLevel.Error, "no page begins at 0x{0:X}", address);
                return;
            }
            // One that lasts longer than need be changes nothing.
            if(!IsCut && !erased.Contains((int)address / PageBytes))
            {
                Erase((int)address, milliseconds);
            }
        }

        // Until the parts are as long as an erase takes, the page holds anything between.
        private void Erase(int page, uint milliseconds)
        {
            var begun = parts.TryGetValue(page / PageBytes, out var before);
            var cut = !begun && !BeginOperation();
            var done = before + milliseconds >= PageMilliseconds;
            var between = cut ? noise : new Random(page + (int)before);
            for(var at = page; at < page + PageBytes; at += Word)
            {
                var word = BitConverter.ToUInt32(copy, at);
                Put(at, done && !cut ? uint.MaxValue : Mixed(between, word, uint.MaxValue));
                writes.Remove(at);
            }
            if(done || cut)
            {
                parts.Remove(page / PageBytes);
                erased.Add(page / PageBytes);
            }
            else
            {
                parts[page / PageBytes] = before + milliseconds;
            }
        }

        private void Put(int at, uint value)
        {
            flash.WriteDoubleWord(at, value);
            BitConverter.GetBytes(value).CopyTo(copy, at);
        }

        // False: the power fails in this one.
        private bool BeginOperation()
        {
            Operations++;
            if(remaining == 0 || --remaining > 0)
            {
                return true;
            }
            IsCut = true;
            this.Log(LogLevel.Warning, "power cut in operation {0}", Operations);
            machine.PauseAndRequestEmulationPause(precise: true);
            return false;
        }

        private uint Torn(uint before, uint after)
        {
            return Mixed(noise, before, after);
        }

        private static uint Mixed(Random random, uint before, uint after)
        {
            var mask = ((uint)random.Next(0x10000) << 16) | (uint)random.Next(0x10000);
            return (before & mask) | (after & ~mask);
        }

        private int NextChange(int from)
        {
            flash.ReadBytes(from, copy.Length - from, seen, from);
            for(var at = from; at < copy.Length; at++)
            {
                if(seen[at] != copy[at])
                {
                    return at - at % Word;
                }
            }
            return -1;
        }

        private uint config;
        private uint partMilliseconds;
        private uint cache;
        private int remaining;
        private int expected;
        private bool started;
        private Random noise = new Random(0);

        private readonly IMachine machine;
        private readonly MappedMemory flash;
        private readonly byte[] copy; // what the flash holds
        private readonly byte[] seen;
        private readonly Dictionary<int, int> writes = new Dictionary<int, int>(); // since the erase
        private readonly HashSet<int> erased = new HashSet<int>(); // pages, to which nothing was written
        private readonly Dictionary<int, uint> parts = new Dictionary<int, uint>(); // ms, by page

        private const int Word = 4;
        private const int PageBytes = 4096;
        private const uint PageMilliseconds = 85;
        private const uint DefaultPart = 10;
        private const int MostWrites = 2;
        private const byte Erased = 0xFF;

        private const uint ReadOnly = 0;
        private const uint WriteEnabled = 1;
        private const uint EraseEnabled = 2;

        private const long Ready = 0x400;
        private const long ReadyNext = 0x408;
        private const long Config = 0x504;
        private const long ErasePage = 0x508;
        private const long ErasePagePartial = 0x518;
        private const long ErasePagePartialCfg = 0x51C;
        private const long ICacheCnf = 0x540;
    }
}
