/*
 * Sends messages to the receiver at --port, or --unix, for --seconds: a round goes over
 * --connections in turn, --batch of them in one call, and begins every --every microseconds at
 * most. Their sizes are the powers of two from --smallest to --largest, at random. Then it ends the
 * connections, and prints how long all that took, with the receiver's report.
 */
#include "report.h"

#define CONNECTIONS_MAX 256
#define BATCH_MAX 64
#define LARGEST_MAX (1 << 20)
/* Byte p of a connection is (p ^ p >> 8) & 255: the receivers check it. It repeats after 64 KiB. */
#define PERIOD 65536

static unsigned char pattern[PERIOD + LARGEST_MAX];
static uint64_t positions[CONNECTIONS_MAX];
static int fds[CONNECTIONS_MAX];
static unsigned smallest;
static unsigned sizes;
static unsigned batch;

static unsigned random_size(void)
{
	static uint32_t state = 0x9e3779b9;
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return smallest << (state >> 8) % sizes;
}

static void send_batch(unsigned connection)
{
	struct iovec pieces[BATCH_MAX];
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = batch };
	uint64_t position = positions[connection];
	for (unsigned i = 0; i < batch; i++) {
		pieces[i].iov_base = pattern + position % PERIOD;
		pieces[i].iov_len = random_size();
		position += pieces[i].iov_len;
	}
	ssize_t sent = sendmsg(fds[connection], &message, MSG_NOSIGNAL);
	if (sent != (ssize_t)(position - positions[connection]))
		fail("Cannot send", sent < 0 ? errno : EIO);
	positions[connection] = position;
}

int main(int argc, char **argv)
{
	double seconds = atof(option(argc, argv, "--seconds"));
	unsigned connections = (unsigned)atoi(option(argc, argv, "--connections"));
	unsigned largest = (unsigned)atoi(option(argc, argv, "--largest"));
	double every = atof(option(argc, argv, "--every")) / 1e6;
	smallest = (unsigned)atoi(option(argc, argv, "--smallest"));
	batch = (unsigned)atoi(option(argc, argv, "--batch"));
	if (connections > CONNECTIONS_MAX || batch > BATCH_MAX || largest > LARGEST_MAX)
		fail("Cannot send that much", EINVAL);
	for (unsigned size = smallest; size <= largest; size *= 2)
		sizes++;
	for (unsigned p = 0; p < sizeof(pattern); p++)
		pattern[p] = (unsigned char)(p ^ p >> 8);

	struct endpoint address = server_address(argc, argv);
	for (unsigned i = 0; i < connections; i++) {
		fds[i] = connect_to(&address);
		/* A message is sent when it is there, as whoever sends small ones wants it. */
		int yes = 1;
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	}
	double start = wall_seconds();
	double now = start;
	for (double due = start; now - start < seconds; due = now + every) {
		/* Without sleeping, which is far from exact; the core is its own. */
		while ((now = wall_seconds()) < due)
			;
		for (unsigned i = 0; i < connections; i++)
			send_batch(i);
	}
	char report[512];
	read_report(fds, connections, report, sizeof(report));
	uint64_t bytes = 0;
	for (unsigned i = 0; i < connections; i++)
		bytes += positions[i];
	printf("{\"seconds\":%.9f,\"bytes\":%llu,\"report\":%s}\n", wall_seconds() - start,
	       (unsigned long long)bytes, report);
	return 0;
}
