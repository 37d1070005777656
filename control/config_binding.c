// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_read.h"
#include "control/yaml_options.h"

#include <string.h>

const struct ctl_option ctl_binding_options[] = {
	{.name = "reuse_guard",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct ctl_binding_options, guard_ns),
		.def = "2s",
		.min = "0s",
		.max = "10min",
		.help = "An address that was given back is nobody's for so long before it is "
			"another subscriber's: what is still on its way belongs to the one before."},
	{.name = "sessions",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_binding_options, n_sessions),
		.def = "4M",
		.min = "1k",
		.max = "64M",
		.help = "Sessions from signalling that are known at once; more are refused and "
			"counted."},
	{.name = NULL},
};

static const char expected[] = "expected radius, gtpv1c, gtpv2c, pfcp, or 'static: FILE'";

static void read_static(struct ctl_config_reader *r, const struct ctl_yaml_node *source)
{
	static const struct ctl_option none[] = {{.name = NULL}};
	static const char *const keys[] = {"static", NULL};
	const struct ctl_yaml_node *file = ctl_yaml_get(source, "static");
	char found[CTL_QUOTE_MAX];

	if (file == NULL) {
		const struct ctl_yaml_node *key = source->first != NULL ? source->first : source;

		ctl_yaml_mistake(
			r->doc, key, "%s, %s", ctl_yaml_found(r->doc, key, found), expected);
		return;
	}
	ctl_yaml_options(r->doc, source, &(struct ctl_yaml_part){none, NULL}, 1, keys);
	if (file->kind != CTL_YAML_SCALAR || *file->text == '\0')
		ctl_yaml_mistake(r->doc, file, "%s, expected the name of a file",
			ctl_yaml_found(r->doc, file, found));
	else
		ctl_config_add_told_path(r, file->text);
	r->config->binding.is_static_first |= r->config->binding.protos == 0;
}

/* Those named earlier have the higher priority. */
static void add_proto(struct ctl_binding_options *binding, enum ctl_sig_proto proto)
{
	binding->ranks[proto] = (uint8_t)__builtin_popcount(binding->protos);
	binding->protos |= 1U << proto;
}

static void read_source(struct ctl_config_reader *r, const struct ctl_yaml_node *source)
{
	char found[CTL_QUOTE_MAX];

	if (source->kind == CTL_YAML_MAP) {
		read_static(r, source);
		return;
	}
	for (unsigned int i = 0; i < CTL_SIG_PROTO_COUNT; i++) {
		if (source->kind != CTL_YAML_SCALAR ||
			strcmp(source->text, ctl_sig_proto_names[i]) != 0)
			continue;
		add_proto(&r->config->binding, (enum ctl_sig_proto)i);
		return;
	}
	ctl_yaml_mistake(r->doc, source, "%s, %s", ctl_yaml_found(r->doc, source, found), expected);
}

/* Without a file: whatever the captures have; who knows more of a mobile session goes first. */
static void read_default(struct ctl_binding_options *binding)
{
	static const enum ctl_sig_proto order[] = {
		CTL_SIG_GTPV2C, CTL_SIG_GTPV1C, CTL_SIG_PFCP, CTL_SIG_RADIUS};

	for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
		add_proto(binding, order[i]);
}

void ctl_config_read_binding(struct ctl_config_reader *r, const struct ctl_yaml_node *binding)
{
	static const char *const keys[] = {"sources", NULL};
	const struct ctl_yaml_node *sources = ctl_yaml_get(binding, "sources");

	ctl_options_init(ctl_binding_options, &r->config->binding);
	if (r->doc == NULL)
		read_default(&r->config->binding);
	if (binding == NULL)
		return;
	ctl_yaml_options(r->doc, binding,
		&(struct ctl_yaml_part){ctl_binding_options, &r->config->binding}, 1, keys);
	if (!ctl_yaml_is(r->doc, sources, CTL_YAML_LIST, "expected a list of sources"))
		return;
	ctl_config_check_unique(r->doc, sources, "source");
	for (CTL_YAML_EACH(source, sources))
		read_source(r, source);
}
