// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/ndpi.h"

#include "classifier/arena.h"
#include "classifier/library.h"
#include "classifier/memo.h"
#include "classifier/plt.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

static_assert(NDPI_MAJOR == 4 && NDPI_MINOR == 2, "this adapter speaks nDPI 4.2");

enum {
	PROTO_NAMES_MAX = 1024,
	ARENA_BYTES = 64 << 20, // addresses; a TLS flow in dissection takes 2 to 7 KB. Start value
};

struct cls_library {
	struct ndpi_detection_module_struct *nd;
	struct cls_arena *arena;
	struct cls_memo *memo;
	// Its table of hosts writes what it finds into a flow, where its dissectors would take it for their own.
	struct ndpi_flow_struct nobody;
};

/* Whose flow this thread is working on. Modules are made outside of it and live on the heap; what
 * they allocate later, while they dissect, is freed with the same arena in place. */
static _Thread_local struct cls_arena *arena_in_use;

/* Where the size of the next block is to be told; NULL: nobody asks. */
static _Thread_local size_t *ret_next_size;

/* lib NULL: nobody's. */
static void work_for(const struct cls_library *lib)
{
	arena_in_use = lib != NULL ? lib->arena : NULL;
	cls_plt_use(lib != NULL ? lib->memo : NULL);
}

static void *allocate(size_t size)
{
	if (ret_next_size != NULL) {
		*ret_next_size = size;
		ret_next_size = NULL;
	}
	return cls_arena_alloc(arena_in_use, size);
}

static void release(void *block)
{
	cls_arena_release(arena_in_use, block);
}

/* nDPI's modules share library globals while they are made and freed. */
static pthread_mutex_t module_mutex = PTHREAD_MUTEX_INITIALIZER;

/* What the names were read from, until a library takes it: a module costs 10 ms and 5 MB. Under the
 * mutex. */
static struct ndpi_detection_module_struct *spare_module;

static struct ndpi_detection_module_struct *module_new(void)
{
	NDPI_PROTOCOL_BITMASK all;
	size_t module_size = 0;

	pthread_mutex_lock(&module_mutex);
	set_ndpi_malloc(allocate);
	set_ndpi_free(release);
	ret_next_size = &module_size; // the first that it takes is itself

	struct ndpi_detection_module_struct *nd = ndpi_init_detection_module(ndpi_no_prefs);

	cls_plt_init(module_size);
	if (nd != NULL) {
		NDPI_BITMASK_SET_ALL(all);
		ndpi_set_protocol_detection_bitmask2(nd, &all);
		ndpi_finalize_initialization(nd);
	}
	pthread_mutex_unlock(&module_mutex);
	return nd;
}

static void module_free(struct ndpi_detection_module_struct *nd)
{
	pthread_mutex_lock(&module_mutex);
	ndpi_exit_detection_module(nd);
	pthread_mutex_unlock(&module_mutex);
}

static struct ndpi_detection_module_struct *module_take(void)
{
	pthread_mutex_lock(&module_mutex);

	struct ndpi_detection_module_struct *nd = spare_module;

	spare_module = NULL;
	pthread_mutex_unlock(&module_mutex);
	return nd != NULL ? nd : module_new();
}

/* The library's names, read once. */
static struct {
	pthread_once_t once;
	char name[PROTO_NAMES_MAX][32];
	char category[PROTO_NAMES_MAX][32];
	size_t n;
} protos = {.once = PTHREAD_ONCE_INIT};

static void load_names(void)
{
	struct ndpi_detection_module_struct *nd = module_new();

	if (nd == NULL)
		return;
	protos.n = ndpi_get_num_supported_protocols(nd);
	if (protos.n > PROTO_NAMES_MAX)
		protos.n = PROTO_NAMES_MAX;
	for (size_t i = 0; i < protos.n; i++) {
		const ndpi_protocol p = {.app_protocol = (u_int16_t)i};

		(void)snprintf(protos.name[i], sizeof(protos.name[i]), "%s",
			ndpi_get_proto_name(nd, (u_int16_t)i));
		(void)snprintf(protos.category[i], sizeof(protos.category[i]), "%s",
			ndpi_category_get_name(nd, ndpi_get_proto_category(nd, p)));
	}
	pthread_mutex_lock(&module_mutex);
	spare_module = nd;
	pthread_mutex_unlock(&module_mutex);
}

int cls_ndpi_proto_by_name(const char *name)
{
	(void)pthread_once(&protos.once, load_names);
	for (size_t i = 0; i < protos.n; i++) {
		if (strcasecmp(protos.name[i], name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

const char *cls_ndpi_category(const char *name)
{
	const int proto = cls_ndpi_proto_by_name(name);

	return proto < 0 ? "" : protos.category[proto];
}

const char *cls_ndpi_name(size_t proto)
{
	(void)pthread_once(&protos.once, load_names);
	return proto < protos.n ? protos.name[proto] : NULL;
}

char *cls_proto_name(uint16_t master, uint16_t app, char *buf, size_t size)
{
	(void)pthread_once(&protos.once, load_names);

	const char *m = master < protos.n ? protos.name[master] : "?";
	const char *a = app < protos.n ? protos.name[app] : "?";

	if (master == NDPI_PROTOCOL_UNKNOWN || master == app)
		(void)snprintf(buf, size, "%s", a);
	else if (app == NDPI_PROTOCOL_UNKNOWN)
		(void)snprintf(buf, size, "%s", m);
	else
		(void)snprintf(buf, size, "%s.%s", m, a);
	return buf;
}

const char *cls_ndpi_version(void)
{
	return ndpi_revision();
}

struct cls_library *cls_library_new(void)
{
	struct cls_library *lib = calloc(1, sizeof(*lib));

	if (lib == NULL)
		return NULL;
	lib->arena = cls_arena_new(ARENA_BYTES);
	lib->memo = cls_memo_new();
	if (lib->arena != NULL && lib->memo != NULL)
		lib->nd = module_take();
	if (lib->nd == NULL) {
		cls_library_free(lib);
		return NULL;
	}
	return lib;
}

void cls_library_free(struct cls_library *lib)
{
	if (lib == NULL)
		return;
	work_for(lib);
	if (lib->nd != NULL)
		module_free(lib->nd);
	work_for(NULL);
	cls_arena_free(lib->arena);
	cls_memo_free(lib->memo);
	free(lib);
}

ndpi_protocol cls_library_look(struct cls_library *lib, struct ndpi_flow_struct *flow,
	const uint8_t *l3, size_t l3_len, uint64_t time_ns)
{
	work_for(lib);

	const ndpi_protocol p = ndpi_detection_process_packet(lib->nd, flow, l3,
		(uint16_t)(l3_len < UINT16_MAX ? l3_len : UINT16_MAX), time_ns / 1000000);

	work_for(NULL);
	return p;
}

/* What the library would still look for tells us nothing: the status of an answer, or a certificate
 * that does not overrule the server name. */
static bool is_enough_for_us(const struct ndpi_flow_struct *flow, bool is_app_decided)
{
	switch (flow->detected_protocol_stack[1] != NDPI_PROTOCOL_UNKNOWN
			? flow->detected_protocol_stack[1]
			: flow->detected_protocol_stack[0]) {
	case NDPI_PROTOCOL_HTTP:
		return flow->host_server_name[0] != '\0';
	case NDPI_PROTOCOL_TLS:
		return is_app_decided && flow->protos.tls_quic.subprotocol_detected;
	default:
		return false;
	}
}

bool cls_library_is_done(struct cls_library *lib, struct ndpi_flow_struct *flow, ndpi_protocol p,
	bool is_app_decided)
{
	if (flow->fail_with_unknown ||
		flow->num_processed_pkts >= NDPI_MAX_NUM_PKTS_PER_FLOW_TO_DISSECT)
		return true;
	if (p.app_protocol == NDPI_PROTOCOL_UNKNOWN)
		return false;
	if (!ndpi_extra_dissection_possible(lib->nd, flow) ||
		is_enough_for_us(flow, is_app_decided))
		return true;
	// Recognised, and no dissector waits for more of it.
	return flow->detected_protocol_stack[0] != NDPI_PROTOCOL_UNKNOWN &&
		(!flow->check_extra_packets || flow->extra_packets_func == NULL);
}

ndpi_protocol cls_library_last_word(
	struct cls_library *lib, struct ndpi_flow_struct *flow, ndpi_protocol p)
{
	u_int8_t was_guessed;

	if (p.app_protocol != NDPI_PROTOCOL_UNKNOWN)
		return p;
	work_for(lib);
	p = ndpi_detection_giveup(lib->nd, flow, 1, &was_guessed);
	work_for(NULL);
	return p;
}

/* What the library's table of hosts says of a name, shorter than DP_HOST_MAX. */
static uint16_t table_of_hosts(struct cls_library *lib, uint16_t master, const char *host)
{
	const size_t len = strlen(host);
	ndpi_protocol_match_result match;
	char name[DP_HOST_MAX]; // the library does not promise to leave it as it is

	memcpy(name, host, len + 1);
	lib->nobody.detected_protocol_stack[0] = NDPI_PROTOCOL_UNKNOWN; // else it may find less
	return ndpi_match_host_subprotocol(lib->nd, &lib->nobody, name, (u_int)len, &match, master);
}

bool cls_library_is_guess(
	struct cls_library *lib, const struct ndpi_flow_struct *flow, const ndpi_protocol *p)
{
	if (p->master_protocol == NDPI_PROTOCOL_UNKNOWN ||
		p->app_protocol == NDPI_PROTOCOL_UNKNOWN ||
		p->app_protocol != flow->guessed_host_protocol_id)
		return false;
	return flow->host_server_name[0] == '\0' ||
		table_of_hosts(lib, p->master_protocol, flow->host_server_name) != p->app_protocol;
}

ndpi_protocol cls_library_listed(struct cls_library *lib, uint16_t master, const char *host)
{
	const uint16_t app = table_of_hosts(lib, master, host);

	// Some names stand there only to be no more than what carries them.
	return (ndpi_protocol){.master_protocol = master,
		.app_protocol = app == master ? NDPI_PROTOCOL_UNKNOWN : app};
}

bool cls_library_knows(
	struct cls_library *lib, struct ndpi_flow_struct *flow, uint16_t master, const char *host)
{
	const ndpi_protocol p = cls_library_listed(lib, master, host);

	if (p.app_protocol == NDPI_PROTOCOL_UNKNOWN)
		return false;
	flow->detected_protocol_stack[0] = p.app_protocol;
	flow->detected_protocol_stack[1] = master;
	flow->confidence = NDPI_CONFIDENCE_DPI;
	return true;
}

/* What is asked of the library's table: the same name again and again, from other places on. */
struct asked {
	struct cls_library *lib;
	uint16_t master, app;
};

static bool says_so(const struct asked *a, const char *host)
{
	return table_of_hosts(a->lib, a->master, host) == a->app;
}

/* The last label from which on the table still says so; what it found begins in there. */
static const char *last_label(const struct asked *a, const char *host)
{
	for (const char *dot = strchr(host, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
		if (!says_so(a, dot + 1))
			break;
		host = dot + 1;
	}
	return host;
}

/* The table takes one byte more than it should before a dot, and a hyphen for one. */
static bool begins_a_label(const struct asked *a, const char *label)
{
	const char *dot = strchr(label, '.');

	return !says_so(a, label + 1) || (dot != NULL && says_so(a, dot));
}

/* Without the last label of a name; false where it has one only. */
static bool strip(char *name, size_t *ret_len)
{
	char *dot = strrchr(name, '.');

	if (dot == NULL)
		return false;
	*ret_len = strlen(dot + 1);
	*dot = '\0';
	return true;
}

/* An entry like "films." stands for each country's: films.example, films.co.uk; not films.evil.example. */
static bool ends_the_name(const struct asked *a, const char *label)
{
	char rest[DP_HOST_MAX];
	size_t top = 0, second = 0;

	memcpy(rest, label, strlen(label) + 1);
	if (!strip(rest, &top) || !says_so(a, rest))
		return true;
	return top == 2 && strip(rest, &second) && second <= 3 && !says_so(a, rest);
}

bool cls_library_is_alike(struct cls_library *lib, const ndpi_protocol *p, const char *host)
{
	const struct asked a = {lib, p->master_protocol, p->app_protocol};

	if (host[0] == '\0' || p->master_protocol == NDPI_PROTOCOL_UNKNOWN || !says_so(&a, host))
		return false;
	host = last_label(&a, host);
	return !begins_a_label(&a, host) || !ends_the_name(&a, host);
}

const char *cls_library_found(struct cls_library *lib, const ndpi_protocol *p, const char *host)
{
	const struct asked a = {lib, p->master_protocol, p->app_protocol};

	return last_label(&a, host);
}

uint16_t cls_library_network(struct cls_library *lib, const struct dp_addr *addr)
{
	struct in_addr v4;

	memcpy(&v4, addr->b + 12, sizeof(v4));
	return ndpi_network_port_ptree_match(lib->nd, &v4, 0);
}

uint16_t cls_library_port(struct cls_library *lib, uint8_t l4_proto, uint16_t port)
{
	// It looks at both ports; the highest one is nobody's by default.
	return ndpi_guess_undetected_protocol(lib->nd, NULL, l4_proto, 0, UINT16_MAX, 0, port)
		.app_protocol;
}

void cls_library_drop(struct cls_library *lib, struct ndpi_flow_struct *flow)
{
	work_for(lib);
	ndpi_free_flow_data(flow);
	work_for(NULL);
}
