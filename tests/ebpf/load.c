// SPDX-License-Identifier: BSD-3-Clause

/* Load the programs, those of a host's port, too, and run a frame through one: 'loaded', or why not. For
 * tests/ebpf/capabilities. */

#include "ebpf/program.h"

#include <errno.h>
#include <string.h>

int main(void)
{
	static struct dp_endpoint_nets nets;
	struct ebpf_program_config cfg = {.is_replay = true,
		.nets = &nets,
		.n_flows = 1024,
		.tick_ns = 1000000000,
		.n_workers = 1,
		.n_entries = 16,
		.ring_bytes = 4096};
	static const uint8_t arp[64] = {[12] = 0x08, 0x06};
	const struct dp_capture_record frame = {
		.data = arp, .cap_len = sizeof(arp), .wire_len = sizeof(arp)};
	struct ebpf_program *program = NULL, *host = NULL;
	struct ebpf_ledger ledger;
	struct dp_err err = {0};
	uint32_t action;
	int r;

	dp_endpoint_nets_default(&nets);
	r = ebpf_program_open(&cfg, &program, &err);
	if (r == 0)
		r = ebpf_program_replay(program, &frame, &action, &err);
	if (r == 0)
		r = ebpf_program_ledger(program, &ledger, &err);
	cfg.is_replay = false;
	if (r == 0)
		r = ebpf_program_open(&cfg, &host, &err);
	if (r == 0)
		printf("loaded, frames without IP: %llu\n",
			(unsigned long long)ledger.frames[DP_OUTCOME_NOT_IP]);
	else
		printf("%s\n", err.text);
	ebpf_program_close(host);
	ebpf_program_close(program);
	return r == 0 ? 0 : 1;
}
