/*
 * Short connections to the server at --port for --seconds, --connections at a time: connect, send a
 * request, receive the same as the answer, see the end of the connection, close.
 */
#include "loopback.h"

/* direct.c has the same. */
#define MESSAGE_BYTES 64
#define CONNECTIONS_MAX 256

/* The user data of an operation is its place times four, and its kind in the two low bits. */
enum kind { BEGIN, ANSWER, END };

static struct io_uring ring;
static struct endpoint address;
static char request[MESSAGE_BYTES];

static struct place {
	int fd;
	char answer[MESSAGE_BYTES];
} places[CONNECTIONS_MAX];

static void begin(unsigned index)
{
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* It closes by a reset, when the server has closed: no port is kept waiting then. */
	struct linger reset = { .l_onoff = 1 };
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
		fail("Cannot make a socket", errno);
	places[index].fd = fd;
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_connect(sqe, fd, &address.any, address.length);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = (uint64_t)index << 2 | BEGIN;
	sqe = next_sqe(&ring);
	io_uring_prep_send(sqe, fd, request, MESSAGE_BYTES, MSG_WAITALL);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = (uint64_t)index << 2 | BEGIN;
	sqe = next_sqe(&ring);
	io_uring_prep_recv(sqe, fd, places[index].answer, MESSAGE_BYTES, MSG_WAITALL);
	sqe->user_data = (uint64_t)index << 2 | ANSWER;
}

static void await_end(unsigned index)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_recv(sqe, places[index].fd, places[index].answer, 1, 0);
	sqe->user_data = (uint64_t)index << 2 | END;
}

/* Whether a connection has come to its end. */
static bool completed(const struct io_uring_cqe *cqe)
{
	unsigned index = (unsigned)(cqe->user_data >> 2);
	switch ((enum kind)(cqe->user_data & 3)) {
	case BEGIN:
		if (cqe->res < 0)
			fail("Cannot connect or send", cqe->res);
		return false;
	case ANSWER:
		if (cqe->res != MESSAGE_BYTES)
			fail("The answer was cut short", cqe->res < 0 ? cqe->res : EPROTO);
		await_end(index);
		return false;
	case END:
		if (cqe->res != 0)
			fail("The server did not close", cqe->res < 0 ? cqe->res : EPROTO);
		close(places[index].fd);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	double seconds = atof(option(argc, argv, "--seconds"));
	unsigned open = (unsigned)atoi(option(argc, argv, "--connections"));
	if (open > CONNECTIONS_MAX)
		fail("Cannot keep that many connections", EINVAL);
	address = server_address(argc, argv);
	open_ring(&ring, 4 * CONNECTIONS_MAX, 8 * CONNECTIONS_MAX);
	memset(request, 'r', sizeof(request));

	double start = wall_seconds();
	uint64_t connections = 0;
	for (unsigned index = 0; index < open; index++)
		begin(index);
	while (open > 0) {
		submit_and_wait(&ring, 1);
		bool over = wall_seconds() - start >= seconds;

		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned reaped = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			reaped++;
			if (!completed(cqe))
				continue;
			connections++;
			if (over)
				open--;
			else
				begin((unsigned)(cqe->user_data >> 2));
		}
		io_uring_cq_advance(&ring, reaped);
	}
	printf("{\"seconds\":%.9f,\"connections\":%llu}\n", wall_seconds() - start,
	       (unsigned long long)connections);
	return 0;
}
