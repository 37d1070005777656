// SPDX-License-Identifier: BSD-3-Clause
#include "control/shows_signalling.h"

#include "control/sig_sessions.h"

static void add(json_t *rows, const char *what, uint64_t n, const char *meaning)
{
	(void)json_array_append_new(rows,
		json_pack("{s:s, s:I, s:s}", "what", what, "count", (json_int_t)n, "meaning",
			meaning));
}

json_t *ctl_signalling_rows(struct ctl_pipeline *pipeline)
{
	const struct ctl_sessions *sessions = ctl_pipeline_sessions(pipeline);
	json_t *rows = json_array();
	struct ctl_sessions_stats s;
	struct dp_path_stats path;

	if (sessions == NULL)
		return rows;
	s = ctl_sessions_stats(sessions);
	dp_path_stats(ctl_pipeline_path(pipeline), &path);
	add(rows, "sessions", s.n_sessions, "known now");
	add(rows, "subscribers", s.n_subscribers,
		"named by them, or by bindings that ended lately");
	add(rows, "bound", s.bindings.n_bound, "addresses and prefixes that somebody holds now");
	for (int i = 0; i < CTL_SIG_PROTO_COUNT; i++)
		add(rows, ctl_sig_proto_names[i], s.messages[i], "messages read");
	add(rows, "unread", s.unread, "no message of its port's protocol, or cut");
	add(rows, "dropped", path.signalling_dropped,
		"the ring to control was full: what they said is not known");
	add(rows, "unbelieved", s.unbelieved, "from or to a subscriber, or out of his tunnel");
	add(rows, "rejected", s.rejected, "requests that were refused: they bind nobody");
	add(rows, "unanswered", s.unanswered,
		"requests without an answer in 60 s: they bind nobody");
	add(rows, "unasked", s.unasked, "answers whose request was not seen: they bind nobody");
	add(rows, "refused", s.refused + s.bindings.n_refused,
		"sessions or addresses without room: raise binding.sessions");
	add(rows, "contested", s.bindings.n_contested,
		"addresses that two sources gave to two subscribers: nobody's since");
	add(rows, "guarded", s.bindings.n_guarded,
		"addresses that went to another subscriber within binding.reuse_guard");
	return rows;
}
