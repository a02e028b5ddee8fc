/*
 * Sends --bytes to the echo server at --port, or --unix, on each of --connections, and again when they are back, for --seconds: at once, or
 * --rate messages a second in all, each on the connection whose turn it is, as soon as that has its answer. Then it ends the connections,
 * and prints how often and how long all that took, with the server's report.
 */
#include "latency.h"
#include "report.h"
#include <sys/epoll.h>

#define CONNECTIONS_MAX 1024
#define BYTES_MAX 4096

static int fds[CONNECTIONS_MAX];
/* When its message was sent, and how much of the answer is still missing: 0 if nothing is on its way. */
static double sent_at[CONNECTIONS_MAX];
static size_t missing[CONNECTIONS_MAX];
static char message[BYTES_MAX];
static char answer[BYTES_MAX];
static size_t bytes;
static struct latencies latencies;

static void send_on(unsigned i)
{
	sent_at[i] = wall_seconds();
	missing[i] = bytes;
	if (send(fds[i], message, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		fail("Cannot send", errno);
}

/* Whether the whole answer is here. */
static bool received_on(unsigned i)
{
	ssize_t count = recv(fds[i], answer, missing[i], MSG_DONTWAIT);
	if (count < 0 && errno == EAGAIN)
		return false;
	if (count <= 0)
		fail("The server ended too early", count < 0 ? errno : EPROTO);
	missing[i] -= (size_t)count;
	if (missing[i] == 0)
		latency_add(&latencies, wall_seconds() - sent_at[i]);
	return missing[i] == 0;
}

int main(int argc, char **argv)
{
	double seconds = atof(option(argc, argv, "--seconds"));
	double rate = atof(option(argc, argv, "--rate"));
	unsigned connections = (unsigned)atoi(option(argc, argv, "--connections"));
	bytes = (size_t)atoi(option(argc, argv, "--bytes"));
	if (connections < 1 || connections > CONNECTIONS_MAX || bytes < 1 || bytes > BYTES_MAX)
		fail("Cannot send that much", EINVAL);
	struct endpoint address = server_address(argc, argv);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < connections; i++) {
		fds[i] = connect_to(&address);
		int yes = 1;
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
			fail("Cannot watch", errno);
	}

	double start = wall_seconds();
	double now = start;
	double due = start;
	unsigned turn = 0;
	for (unsigned i = 0; rate == 0 && i < connections; i++)
		send_on(i);
	while ((now = wall_seconds()) - start < seconds) {
		if (rate > 0 && now >= due && missing[turn] == 0) {
			send_on(turn);
			turn = (turn + 1) % connections;
			/* What is late is not made up for. */
			due = due + 1 / rate > now ? due + 1 / rate : now;
		}
		struct epoll_event events[64];
		/* With a rate it does not sleep, which is far from exact; the core is its own. */
		int count = epoll_wait(epoll, events, 64, rate > 0 ? 0 : 100);
		for (int i = 0; i < count; i++)
			if (received_on(events[i].data.u32) && rate == 0)
				send_on(events[i].data.u32);
	}
	/* What is on its way is waited for, so that the report stands alone. */
	for (unsigned i = 0; i < connections; i++)
		while (missing[i] > 0)
			received_on(i);
	char report[512];
	read_report(fds, connections, report, sizeof(report));
	printf("{\"seconds\":%.9f,\"roundTrips\":%zu,\"p99Microseconds\":%.2f,\"report\":%s}\n", now - start,
	       latencies.count, latency_percentile(&latencies, 0.99), report);
	return 0;
}
