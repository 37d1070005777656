// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The server-side steps of control/mirror.c (Lua 5.1 inside Redis 5 or newer).
 *
 * KEYS of both: the hash of usage, the hash of the profile. A reader never sees half a step.
 *
 * write:   ARGV 1 node · 2 seconds to live · 3 "1": remove what must not stand there any more
 *          4 month of the running cycle, 202611 · 5 name of the cycle whose fields follow in full
 *          6 "1": apps may be named · 7 apps that never are, "|name|name|"
 *          8 count of the words of usage, which follow · then those of the profile
 * forget:  ARGV 1 node
 *
 * The profile is replaced. Of usage only fields of the own node are touched: written, and in a
 * removing step deleted when they are of a cycle before the 13th, name an app that may not be named
 * (any more), or are of the running cycle and not among what is written. Whatever Redis may refuse,
 * it refuses at the first write, when nothing has changed yet. Returns 1. */

/* Lua's stack holds a few thousand values. */
#define CTL_MIRROR_LUA \
	"local function each(key, command, from, to, list)\n" \
	"  for i = from, to, 1000 do\n" \
	"    redis.call(command, key, unpack(list, i, math.min(i + 999, to)))\n" \
	"  end\n" \
	"end\n" \
	"local function own(field)\n" \
	"  local cycle, node, app = string.match(field, '^([^:]*):([^:]*):([^:]*):')\n" \
	"  if node == ARGV[1] then return cycle, app end\n" \
	"end\n"

static const char ctl_mirror_write[] = CTL_MIRROR_LUA
	"local last = 8 + tonumber(ARGV[8])\n"
	"redis.call('HSET', KEYS[2], 'v', '1')\n"
	"redis.call('DEL', KEYS[2])\n"
	"each(KEYS[2], 'HSET', last + 1, #ARGV, ARGV)\n"
	"each(KEYS[1], 'HSET', 9, last, ARGV)\n"
	"if ARGV[3] == '1' then\n"
	"  local said, gone = {}, {}\n"
	"  for i = 9, last, 2 do said[ARGV[i]] = true end\n"
	"  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do\n"
	"    local cycle, app = own(field)\n"
	"    if cycle and not said[field] then\n"
	"      local year, month = string.match(cycle, '^(%d+)-(%d+)')\n"
	"      if not year or tonumber(year) * 100 + tonumber(month) < tonumber(ARGV[4]) - 100\n"
	"        or cycle == ARGV[5]\n"
	"        or app ~= 'total' and (ARGV[6] ~= '1'\n"
	"          or string.find(ARGV[7], '|' .. app .. '|', 1, true)) then\n"
	"        gone[#gone + 1] = field\n"
	"      end\n"
	"    end\n"
	"  end\n"
	"  each(KEYS[1], 'HDEL', 1, #gone, gone)\n"
	"end\n"
	"redis.call('EXPIRE', KEYS[1], ARGV[2])\n"
	"redis.call('EXPIRE', KEYS[2], ARGV[2])\n"
	"return 1\n";

static const char ctl_mirror_forget[] = CTL_MIRROR_LUA
	"local gone = {}\n"
	"for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do\n"
	"  if own(field) then gone[#gone + 1] = field end\n"
	"end\n"
	"each(KEYS[1], 'HDEL', 1, #gone, gone)\n"
	"redis.call('DEL', KEYS[2])\n"
	"return 1\n";
