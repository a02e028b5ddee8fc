/*
 * Sends --bytes to the echo server at --port, or --unix, and waits until they are back, over and over for --seconds; prints how often
 * and how long that took.
 */
#include "latency.h"
#include "loopback.h"

#define BYTES_MAX 65536

static char message[BYTES_MAX];
static char answer[BYTES_MAX];

int main(int argc, char **argv)
{
	double seconds = atof(option(argc, argv, "--seconds"));
	size_t bytes = (size_t)atoi(option(argc, argv, "--bytes"));
	struct endpoint address = server_address(argc, argv);
	if (bytes == 0 || bytes > BYTES_MAX)
		fail("Cannot send that much", EINVAL);
	int fd = connect_to(&address);
	int yes = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));

	struct latencies latencies = { 0 };
	double start = wall_seconds();
	double now = start;
	while (now - start < seconds) {
		memset(message, (int)latencies.count, bytes);
		if (send(fd, message, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
			fail("Cannot send", errno);
		ssize_t count = recv(fd, answer, bytes, MSG_WAITALL);
		if (count != (ssize_t)bytes || memcmp(message, answer, bytes) != 0)
			fail("The answer is not what was sent", count < 0 ? errno : EPROTO);
		double then = now;
		now = wall_seconds();
		latency_add(&latencies, now - then);
	}
	close(fd);
	printf("{\"seconds\":%.9f,\"roundTrips\":%zu,\"p99Microseconds\":%.2f}\n", now - start,
	       latencies.count, latency_percentile(&latencies, 0.99));
	return 0;
}
