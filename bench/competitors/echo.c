/*
 * Sends back what comes: multishot accept, one multishot receive a connection from a provided-buffer ring, a send from the
 * buffer in which it came. Who sends has to wait for the answer, so that answers cannot overtake each other.
 */
#include "buffer-ring.h"
#include "loopback.h"

#define SQ_ENTRIES 1024
#define CQ_ENTRIES 4096
#define BUFFERS 512
#define BUFFER_BYTES 4096
#define GROUP 0

/* The user data of an operation is its kind in the two low bits, then its descriptor, and of a send its buffer above them. */
enum kind { ACCEPT, RECEIVE, SEND, CLOSE };
#define BUFFER_SHIFT 32

static struct io_uring ring;
static struct io_uring_buf_ring *buffer_ring;
static char *buffers;

static uint64_t user_data(enum kind kind, int fd, uint64_t bid)
{
	return bid << BUFFER_SHIFT | (uint64_t)fd << 2 | kind;
}

static void accept_from(int listener)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	sqe->user_data = user_data(ACCEPT, listener, 0);
}

static void receive_from(int fd)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->user_data = user_data(RECEIVE, fd, 0);
}

static void send_back(int fd, unsigned bid, int length)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_send(sqe, fd, buffers + (size_t)bid * BUFFER_BYTES, (size_t)length,
			   MSG_WAITALL);
	sqe->user_data = user_data(SEND, fd, bid);
}

static void close_connection(int fd)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_close(sqe, fd);
	sqe->user_data = user_data(CLOSE, fd, 0);
}

static void provide(unsigned bid)
{
	io_uring_buf_ring_add(buffer_ring, buffers + (size_t)bid * BUFFER_BYTES, BUFFER_BYTES,
			      (unsigned short)bid, io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(buffer_ring, 1);
}

static void completed(const struct io_uring_cqe *cqe)
{
	int fd = (int)((cqe->user_data & ((1ULL << BUFFER_SHIFT) - 1)) >> 2);
	switch ((enum kind)(cqe->user_data & 3)) {
	case ACCEPT:
		if (cqe->res < 0)
			fail("Cannot accept", cqe->res);
		int yes = 1;
		setsockopt(cqe->res, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		receive_from(cqe->res);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			accept_from(fd);
		break;
	case RECEIVE:
		if (cqe->res > 0)
			send_back(fd, cqe->flags >> IORING_CQE_BUFFER_SHIFT, cqe->res);
		else if (cqe->res != -ENOBUFS)
			close_connection(fd);
		if (!(cqe->flags & IORING_CQE_F_MORE) && (cqe->res > 0 || cqe->res == -ENOBUFS))
			receive_from(fd);
		break;
	case SEND:
		/* A connection that broke is closed by its receive. */
		provide((unsigned)(cqe->user_data >> BUFFER_SHIFT));
		break;
	case CLOSE:
		break;
	}
}

int main(int argc, char **argv)
{
	open_ring(&ring, SQ_ENTRIES, CQ_ENTRIES);
	buffer_ring = register_buffers(&ring, BUFFERS, BUFFER_BYTES, GROUP, &buffers);
	for (unsigned bid = 0; bid < BUFFERS; bid++)
		provide(bid);
	accept_from(listen_at(argc, argv));
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
