/*
 * Short connections: accept one, receive a request, answer it, close. --descriptors: ordinary ones,
 * or direct ones, which stand in the ring's own table and never in the process's.
 */
#include "loopback.h"

#define SQ_ENTRIES 1024
#define CQ_ENTRIES 4096
#define SLOTS 1024
/* direct-client.c has the same. */
#define MESSAGE_BYTES 64

/*
 * The user data of an operation is its descriptor or slot times four, and its kind in the two low
 * bits.
 */
enum kind { ACCEPT, RECEIVE, SEND, CLOSE };

static struct io_uring ring;
static bool direct;
static char requests[SLOTS][MESSAGE_BYTES];

static void accept_from(int listener)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	if (direct)
		io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, SOCK_NONBLOCK);
	else
		io_uring_prep_multishot_accept(sqe, listener, NULL, NULL,
					       SOCK_NONBLOCK | SOCK_CLOEXEC);
	sqe->user_data = (uint64_t)listener << 2 | ACCEPT;
}

static void receive_from(int fd)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_recv(sqe, fd, requests[fd], MESSAGE_BYTES, MSG_WAITALL);
	if (direct)
		sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = (uint64_t)fd << 2 | RECEIVE;
}

static void answer(int fd)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_send(sqe, fd, requests[fd], MESSAGE_BYTES, 0);
	sqe->flags |= IOSQE_IO_LINK;
	if (direct)
		sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = (uint64_t)fd << 2 | SEND;
	sqe = next_sqe(&ring);
	if (direct)
		io_uring_prep_close_direct(sqe, (unsigned)fd);
	else
		io_uring_prep_close(sqe, fd);
	sqe->user_data = (uint64_t)fd << 2 | CLOSE;
}

static void completed(const struct io_uring_cqe *cqe)
{
	int fd = (int)(cqe->user_data >> 2);
	switch ((enum kind)(cqe->user_data & 3)) {
	case ACCEPT:
		if (cqe->res < 0 || cqe->res >= SLOTS)
			fail("Cannot accept", cqe->res < 0 ? cqe->res : EMFILE);
		receive_from(cqe->res);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			accept_from(fd);
		break;
	case RECEIVE:
	case SEND:
		if (cqe->res != MESSAGE_BYTES)
			fail("A message was cut short", cqe->res < 0 ? cqe->res : EIO);
		if ((cqe->user_data & 3) == RECEIVE)
			answer(fd);
		break;
	case CLOSE:
		if (cqe->res < 0)
			fail("Cannot close", cqe->res);
		break;
	}
}

int main(int argc, char **argv)
{
	direct = strcmp(option(argc, argv, "--descriptors"), "direct") == 0;
	open_ring(&ring, SQ_ENTRIES, CQ_ENTRIES);
	if (direct) {
		int error = io_uring_register_files_sparse(&ring, SLOTS);
		if (error < 0)
			fail("Cannot register the table of files", error);
	}
	accept_from(listen_on_any_port());
	for (;;) {
		submit_and_wait(&ring, 1);

		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned reaped = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			completed(cqe);
			reaped++;
		}
		io_uring_cq_advance(&ring, reaped);
	}
}
