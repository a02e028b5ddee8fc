/*
 * Takes what the sender at --port, or --unix, sends on --connections (1) for --seconds and throws it away unread (MSG_TRUNC, which unix
 * sockets do not have), so that the sender sets the pace. Then it ends its own sides: the sender stops, adds its report to the
 * connection that ends last, and ends them. All bytes before the report are zeros.
 */
#include "loopback.h"
#include <poll.h>

#define CHUNK (1 << 20)
#define CONNECTIONS_MAX 256

static char chunk[CHUNK];
static struct pollfd connections[CONNECTIONS_MAX];
static unsigned count;
static bool unread;
static uint64_t bytes;

/* Takes what has come, from those where something has. */
static void take(void)
{
	/* A single one is waited for by the receive. */
	if (count > 1 && poll(connections, count, -1) < 0)
		fail("Cannot wait", errno);
	for (unsigned i = 0; i < count; i++) {
		if (count > 1 && !connections[i].revents)
			continue;
		ssize_t taken = recv(connections[i].fd, unread ? NULL : chunk, CHUNK,
				     unread ? MSG_TRUNC : 0);
		if (taken <= 0)
			fail("The sender ended too early", taken < 0 ? errno : EPROTO);
		bytes += (uint64_t)taken;
	}
}

/* Takes the rest of one that has been ended on this side: the zeros, and what of the report there is. */
static size_t finish(int fd, char *report, size_t length, size_t size)
{
	size_t before = length;
	ssize_t taken;
	while ((taken = recv(fd, chunk, CHUNK, 0)) > 0) {
		ssize_t zeros = 0;
		while (length == before && zeros < taken && chunk[zeros] == 0)
			zeros++;
		bytes += (uint64_t)zeros;
		if (length + (size_t)(taken - zeros) >= size)
			fail("The report is too long", EMSGSIZE);
		memcpy(report + length, chunk + zeros, (size_t)(taken - zeros));
		length += (size_t)(taken - zeros);
	}
	if (taken < 0)
		fail("Cannot receive", errno);
	close(fd);
	return length;
}

int main(int argc, char **argv)
{
	double seconds = atof(option(argc, argv, "--seconds"));
	const char *wanted = find_option(argc, argv, "--connections");
	struct endpoint address = server_address(argc, argv);
	count = wanted ? (unsigned)atoi(wanted) : 1;
	if (count < 1 || count > CONNECTIONS_MAX)
		fail("Cannot take from that many", EINVAL);
	unread = address.any.sa_family != AF_UNIX;
	for (unsigned i = 0; i < count; i++)
		connections[i] = (struct pollfd){ .fd = connect_to(&address), .events = POLLIN };
	double start = wall_seconds();
	while (wall_seconds() - start < seconds)
		take();
	for (unsigned i = 0; i < count; i++)
		shutdown(connections[i].fd, SHUT_WR);
	char report[512];
	size_t length = 0;
	for (unsigned i = 0; i < count; i++)
		length = finish(connections[i].fd, report, length, sizeof(report));
	report[length] = 0;
	printf("{\"seconds\":%.9f,\"bytes\":%llu,\"report\":%s}\n", wall_seconds() - start,
	       (unsigned long long)bytes, report);
	return 0;
}
