/*
 * What the C competitors share: their options, the measured stretch of a loop, and the one line of
 * JSON they print. The TypeScript counterpart is measurement.ts; both look at the clock equally
 * often.
 */
#ifndef BENCH_H
#define BENCH_H

#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define OPERATIONS_BETWEEN_LOOKS 256

static inline void fail(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

/* The word after `name` on the command line; NULL if it is not there. */
static inline const char *find_option(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return argv[i + 1];
	return NULL;
}

/* The word after `name`, which has to be there. */
static inline const char *option(int argc, char **argv, const char *name)
{
	const char *word = find_option(argc, argv, name);
	if (word)
		return word;
	fprintf(stderr, "Cannot start: %s is missing\n", name);
	exit(2);
}

static inline double wall_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline double cpu_seconds(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
		+ (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* A warm-up, then a measured stretch, then the line of JSON. */
struct measurement {
	double warmup;
	double seconds;
	double start_wall;
	double start_cpu;
	uint64_t start_ops;
	uint64_t next_look;
	bool warm;
};

static inline struct measurement measurement_begin(int argc, char **argv)
{
	struct measurement m = {
		.warmup = atof(option(argc, argv, "--warmup")),
		.seconds = atof(option(argc, argv, "--seconds")),
		.start_wall = wall_seconds(),
		.next_look = OPERATIONS_BETWEEN_LOOKS,
	};
	return m;
}

static inline bool measurement_look(struct measurement *m, uint64_t ops)
{
	m->next_look = ops + OPERATIONS_BETWEEN_LOOKS;
	double elapsed = wall_seconds() - m->start_wall;
	if (!m->warm) {
		if (elapsed < m->warmup)
			return true;
		m->warm = true;
		m->start_ops = ops;
		m->start_cpu = cpu_seconds();
		m->start_wall = wall_seconds();
		return true;
	}
	if (elapsed < m->seconds)
		return true;
	printf("{\"ops\":%llu,\"seconds\":%.9f,\"cpuSeconds\":%.6f}\n",
	       (unsigned long long)(ops - m->start_ops), elapsed, cpu_seconds() - m->start_cpu);
	return false;
}

/* Whether to go on, `ops` operations being done since the program began. */
static inline bool measurement_proceeds(struct measurement *m, uint64_t ops)
{
	return ops < m->next_look || measurement_look(m, ops);
}

/*
 * The ring that `new IoUring(entries)` makes, except for the SQ array, which liburing 2.3 needs. A
 * kernel that lacks a flag fails here, so that nobody compares two different rings unawares.
 */
static inline void open_ring(struct io_uring *ring, unsigned entries, unsigned cq_entries)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN
			| IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL
			| IORING_SETUP_CQSIZE,
		.cq_entries = cq_entries,
	};
	int error = io_uring_queue_init_params(entries, ring, &params);
	if (error < 0)
		fail("Cannot create ring", error);
	error = io_uring_register_ring_fd(ring);
	if (error != 1)
		fail("Cannot register the descriptor of the ring", error);
}

/* Publishes what is queued and waits for `wait_nr` completions. */
static inline void submit_and_wait(struct io_uring *ring, unsigned wait_nr)
{
	int submitted = io_uring_submit_and_wait(ring, wait_nr);
	if (submitted < 0 && submitted != -EINTR)
		fail("Cannot submit", submitted);
}

#endif
