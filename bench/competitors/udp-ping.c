/*
 * Keeps --outstanding datagrams of --bytes on their way to the echo server at --port for --seconds; prints how many came back.
 * When none comes for a while, those that are on their way are lost, and as many new ones sent.
 */
#include "loopback.h"

#define OUTSTANDING_MAX 256
#define BYTES_MAX 2048
#define PATIENCE_MS 200

static char bytes_out[OUTSTANDING_MAX][BYTES_MAX];
static char bytes_in[OUTSTANDING_MAX][BYTES_MAX];
static struct iovec pieces_out[OUTSTANDING_MAX];
static struct iovec pieces_in[OUTSTANDING_MAX];
static struct mmsghdr out[OUTSTANDING_MAX];
static struct mmsghdr in[OUTSTANDING_MAX];

static void prepare(struct mmsghdr *messages, struct iovec *pieces, char (*bytes)[BYTES_MAX], size_t size)
{
	for (unsigned i = 0; i < OUTSTANDING_MAX; i++) {
		pieces[i] = (struct iovec){ .iov_base = bytes[i], .iov_len = size };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
	}
}

static void send_out(int fd, unsigned count)
{
	for (unsigned sent = 0; sent < count;) {
		int now = sendmmsg(fd, out + sent, count - sent, 0);
		if (now < 0)
			fail("Cannot send", errno);
		sent += (unsigned)now;
	}
}

int main(int argc, char **argv)
{
	double seconds = atof(option(argc, argv, "--seconds"));
	unsigned outstanding = (unsigned)atoi(option(argc, argv, "--outstanding"));
	size_t bytes = (size_t)atoi(option(argc, argv, "--bytes"));
	if (outstanding > OUTSTANDING_MAX || bytes > BYTES_MAX)
		fail("Cannot send that much", EINVAL);
	prepare(out, pieces_out, bytes_out, bytes);
	prepare(in, pieces_in, bytes_in, BYTES_MAX);

	struct endpoint address = server_address(argc, argv);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, &address.any, address.length) < 0)
		fail("Cannot connect", errno);
	struct timeval patience = { .tv_usec = PATIENCE_MS * 1000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));

	uint64_t messages = 0;
	uint64_t lost = 0;
	double start = wall_seconds();
	double now = start;
	send_out(fd, outstanding);
	while (now - start < seconds) {
		int count = recvmmsg(fd, in, outstanding, MSG_WAITFORONE, NULL);
		if (count > 0) {
			for (int i = 0; i < count; i++)
				if (in[i].msg_len != bytes)
					fail("A message came back in another length", EPROTO);
			messages += (unsigned)count;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			count = (int)outstanding;
			lost += outstanding;
		} else {
			fail("Cannot receive", errno);
		}
		send_out(fd, (unsigned)count);
		now = wall_seconds();
	}
	printf("{\"seconds\":%.9f,\"messages\":%llu,\"lost\":%llu}\n", now - start,
	       (unsigned long long)messages, (unsigned long long)lost);
	return 0;
}
