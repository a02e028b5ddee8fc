/* Sends a byte to whoever connects, ends its side, waits for the end of the other and closes: four linked operations. */
#include "loopback.h"

#define SQ_ENTRIES 4096
#define CQ_ENTRIES 8192

/* The user data of an accept; of the others their descriptor. */
#define ACCEPT UINT64_MAX

static struct io_uring ring;

static void accept_from(int listener)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	sqe->user_data = ACCEPT;
}

/* Each is done whatever became of the one before; only the last has a completion when all goes well. */
static void then(struct io_uring_sqe *sqe, int fd)
{
	sqe->flags |= IOSQE_IO_HARDLINK | IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = (uint64_t)fd;
}

static void greet(int fd)
{
	static char scrap[64];
	/* A chain must not be cut in two by a submission. */
	if (io_uring_sq_space_left(&ring) < 4)
		submit_and_wait(&ring, 0);
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_send(sqe, fd, "!", 1, MSG_NOSIGNAL);
	then(sqe, fd);
	sqe = next_sqe(&ring);
	io_uring_prep_shutdown(sqe, fd, SHUT_WR);
	then(sqe, fd);
	sqe = next_sqe(&ring);
	io_uring_prep_recv(sqe, fd, scrap, sizeof(scrap), 0);
	then(sqe, fd);
	sqe = next_sqe(&ring);
	io_uring_prep_close(sqe, fd);
	sqe->user_data = (uint64_t)fd;
}

int main(int argc, char **argv)
{
	open_ring(&ring, SQ_ENTRIES, CQ_ENTRIES);
	int listener = listen_at(argc, argv);
	accept_from(listener);
	for (;;) {
		submit_and_wait(&ring, 1);
		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned reaped = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			reaped++;
			if (cqe->user_data != ACCEPT)
				continue;
			if (cqe->res < 0)
				fail("Cannot accept", cqe->res);
			greet(cqe->res);
			if (!(cqe->flags & IORING_CQE_F_MORE))
				accept_from(listener);
		}
		io_uring_cq_advance(&ring, reaped);
	}
}
