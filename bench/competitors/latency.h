/* How long each of many things took, in the order of their lengths at the end. */
#ifndef LATENCY_H
#define LATENCY_H

#include "bench.h"

struct latencies {
	float *seconds;
	size_t count;
	size_t room;
};

static inline void latency_add(struct latencies *l, double seconds)
{
	if (l->count == l->room) {
		l->room = l->room ? 2 * l->room : 65536;
		l->seconds = realloc(l->seconds, l->room * sizeof(*l->seconds));
		if (!l->seconds)
			fail("Cannot keep the latencies", ENOMEM);
	}
	l->seconds[l->count++] = (float)seconds;
}

static inline int latency_order(const void *a, const void *b)
{
	float left = *(const float *)a;
	float right = *(const float *)b;
	return (left > right) - (left < right);
}

/* `share` of them took at most that many microseconds. */
static inline double latency_percentile(struct latencies *l, double share)
{
	if (l->count == 0)
		fail("Nothing was measured", EPROTO);
	qsort(l->seconds, l->count, sizeof(*l->seconds), latency_order);
	return 1e6 * l->seconds[(size_t)(share * (double)(l->count - 1))];
}

#endif
