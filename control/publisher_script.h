// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The server-side step of control/publisher.c (Lua 5.1 inside Redis 5 or newer).
 *
 * KEYS  stream, counters
 * ARGV  1 entry id · 2 sequence · 3 sequence that the stream must have reached · 4 writer
 *       5 event · 6 type · 7 subject · 8 typesequence · 9 MAXLEN, "0" = none
 *       10 channel of all · 11 channel of the type · 12 writer that must have been there last
 *
 * While the counters were last moved by the same writer, they say exactly what of ours has arrived:
 * an entry they have passed is there, or was and has been trimmed. Moved by anybody else, only the
 * entry itself can say so.
 *
 * Returns 1: in the stream and announced · 0: was there already · 2: in the stream, but a channel
 * refused it (rights). Errors leave everything as it was. Order matters:
 *
 * - The counters go first. They meet every refusal (memory, replica, disk, rights) before anything
 *   is written, and can always be put back when XADD fails.
 * - PUBLISH comes last: a subscriber must not hear of what the stream refused. */

enum {
	CTL_SCRIPT_HAD_IT = 0,
	CTL_SCRIPT_ADDED = 1,
	CTL_SCRIPT_UNANNOUNCED = 2,
};

static const char ctl_publisher_script[] =
	"local old = redis.call('HMGET', KEYS[2], 'sequence', 'type:' .. ARGV[6], 'writer')\n"
	"local seen = tonumber(old[1] or '0')\n"
	"if seen >= tonumber(ARGV[2]) then\n"
	"  local at = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])\n"
	"  if at[1] then\n"
	"    if at[1][2][2] == ARGV[5] then return 0 end\n"
	"  elseif old[3] == ARGV[4] then\n" // delivered, and trimmed or deleted since
	"    return 0\n"
	"  end\n"
	"  return redis.error_reply('WIRECUE_TAKEN the stream has reached sequence ' .. seen\n"
	"    .. ' without us')\n"
	"end\n"
	"if seen ~= tonumber(ARGV[3]) or (old[3] or '') ~= ARGV[12] then\n"
	"  return redis.error_reply('WIRECUE_ORDER the stream has sequence ' .. seen\n"
	"    .. ' where ' .. ARGV[3] .. ' was left')\n"
	"end\n"
	"local set = redis.pcall('HSET', KEYS[2], 'sequence', ARGV[2],\n"
	"  'type:' .. ARGV[6], ARGV[8], 'writer', ARGV[4])\n"
	"if type(set) == 'table' and set.err then return set end\n"
	"local add\n"
	"if ARGV[9] == '0' then\n"
	"  add = redis.pcall('XADD', KEYS[1], ARGV[1],\n"
	"    'event', ARGV[5], 'type', ARGV[6], 'subject', ARGV[7])\n"
	"else\n"
	"  add = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[9], ARGV[1],\n"
	"    'event', ARGV[5], 'type', ARGV[6], 'subject', ARGV[7])\n"
	"end\n"
	"if type(add) == 'table' and add.err then\n"
	"  redis.call('HSET', KEYS[2], 'sequence', old[1] or '0',\n"
	"    'type:' .. ARGV[6], old[2] or '0', 'writer', old[3] or '')\n"
	"  return add\n"
	"end\n"
	"local heard = 1\n"
	"for i = 10, 11 do\n"
	"  local sent = redis.pcall('PUBLISH', ARGV[i], ARGV[5])\n"
	"  if type(sent) == 'table' and sent.err then heard = 2 end\n"
	"end\n"
	"return heard\n";
