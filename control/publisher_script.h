// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The server-side step of control/publisher.c (Lua 5.1 inside Redis 5 or newer): some entries, next
 * to each other in the order of their numbers, all in one call.
 *
 * KEYS  stream, counters
 * ARGV  1 writer · 2 base: the first entry's sequence less one · 3 sequence that the stream must
 *       have reached · 4 writer that must have brought it there · 5 "1": the stream must exist
 *       6 channel of all · 7 what the channel of a type begins with
 *       then for each entry: id, event, type, subject, typesequence
 *
 * While the counters were last moved by the same writer, they say exactly what of ours has arrived:
 * an entry they have passed is there, or was and has been trimmed. Moved by anybody else, only the
 * entry itself can say so.
 *
 * Returns {in, had, unannounced} or {in, had, unannounced, error}: `in` entries of the call, from its
 * first one on, are in the stream now; `had` of them were before; `unannounced` of the others a
 * channel refused (rights). The error tells why the rest is not. An error reply instead: nothing has
 * changed. Without entries it only sets the counters to base, and makes an empty stream where there
 * is none: what somebody chose must not look like a loss to the next who asks.
 *
 * A script is not rolled back, so the order matters:
 *
 * - The counters go first, to where the last entry leads. They meet every refusal (memory, replica,
 *   disk, rights) before anything is written; what a script has begun, Redis does not refuse for
 *   want of memory any more.
 * - When XADD fails nevertheless (rights, an id that is not greater), they are put back to the last
 *   entry that is in.
 * - PUBLISH comes behind each XADD: a subscriber must not hear of what the stream refused. */

enum {
	CTL_SCRIPT_FIXED_ARGS = 7,
	CTL_SCRIPT_ENTRY_ARGS = 5,
};

static const char ctl_publisher_script[] =
	"local own, base, n = ARGV[1], tonumber(ARGV[2]), (#ARGV - 7) / 5\n"
	"local function err(code, text) return redis.error_reply('WIRECUE_' .. code .. ' ' .. text) end\n"
	"local function num(x) return string.format('%.0f', x) end\n"
	"local ask, last = {'sequence', 'writer'}, {}\n"
	"for i = 0, n - 1 do\n"
	"  local t = ARGV[10 + 5 * i]\n"
	"  if not last[t] then ask[#ask + 1] = 'type:' .. t end\n"
	"  last[t] = ARGV[12 + 5 * i]\n"
	"end\n"
	"local old = redis.call('HMGET', KEYS[2], unpack(ask))\n"
	"local seen, by, had = tonumber(old[1] or '0'), old[2] or '', 0\n"
	"if n > 0 and seen > base then\n"
	"  had = math.min(seen - base, n)\n"
	"  if by ~= own then\n"
	"    local id, event = ARGV[3 + 5 * had], ARGV[4 + 5 * had]\n"
	"    local at = redis.call('XRANGE', KEYS[1], id, id)\n"
	"    if not at[1] or at[1][2][2] ~= event then\n"
	"      return err('TAKEN', 'the stream has reached sequence ' .. num(seen) .. ' without us')\n"
	"    end\n"
	"  end\n"
	"  if had == n then return {n, n, 0} end\n"
	"end\n"
	"if (by ~= own or had == 0) and (seen ~= tonumber(ARGV[3]) or by ~= ARGV[4]) then\n"
	"  return err('ORDER', 'the stream has sequence ' .. num(seen) .. ' where ' .. ARGV[3]\n"
	"    .. ' was left')\n"
	"end\n"
	"if ARGV[5] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then\n"
	"  return err('GONE', 'the stream was deleted')\n"
	"end\n"
	"if n == 0 and redis.call('EXISTS', KEYS[1]) == 0 then\n"
	"  redis.call('XADD', KEYS[1], '0-1', 'event', '')\n" // nobody sees it: a script is one step
	"  redis.call('XTRIM', KEYS[1], 'MAXLEN', '0')\n"
	"end\n"
	"local function move(sequence, writer, of_type)\n"
	"  local set = {'HSET', KEYS[2], 'sequence', num(sequence), 'writer', writer}\n"
	"  for k = 3, #ask do\n"
	"    set[#set + 1] = ask[k]\n"
	"    set[#set + 1] = of_type[string.sub(ask[k], 6)] or old[k] or '0'\n"
	"  end\n"
	"  return redis.pcall(unpack(set))\n"
	"end\n"
	"local moved = move(base + n, own, last)\n"
	"if type(moved) == 'table' and moved.err then return moved end\n"
	"local unheard, done = 0, {}\n"
	"for i = had, n - 1 do\n"
	"  local a = 7 + 5 * i\n"
	"  local event, kind = ARGV[a + 2], ARGV[a + 3]\n"
	"  local add = redis.pcall('XADD', KEYS[1], ARGV[a + 1],\n"
	"    'event', event, 'type', kind, 'subject', ARGV[a + 4])\n"
	"  if type(add) == 'table' and add.err then\n"
	"    if i == had then move(seen, by, done) else move(base + i, own, done) end\n"
	"    if i == 0 then return add end\n"
	"    return {i, had, unheard, add.err}\n"
	"  end\n"
	"  done[kind] = ARGV[a + 5]\n"
	"  local all = redis.pcall('PUBLISH', ARGV[6], event)\n"
	"  local one = redis.pcall('PUBLISH', ARGV[7] .. kind, event)\n"
	"  if (type(all) == 'table' and all.err) or (type(one) == 'table' and one.err) then\n"
	"    unheard = unheard + 1\n"
	"  end\n"
	"end\n"
	"return {n, had, unheard}\n";
