/*
 * The tiny TCP responder: multishot accept, one multishot receive a connection from a
 * provided-buffer ring, a send for each request. It listens on a port the kernel chooses and
 * prints it.
 */
#include "buffer-ring.h"
#include "loopback.h"

#define SQ_ENTRIES 1024
#define CQ_ENTRIES 4096
#define BUFFERS 512
#define BUFFER_BYTES 1024
#define GROUP 0

/* The same bytes as RESPONSE in http.ts. */
static const char RESPONSE[] =
	"HTTP/1.1 200 OK\r\n"
	"Server: responder\r\n"
	"Content-Type: text/plain\r\n"
	"Content-Length: 5\r\n"
	"\r\n"
	"Hello";
#define RESPONSE_BYTES (sizeof(RESPONSE) - 1)

/* The user data of an operation is its descriptor times four, and its kind in the two low bits. */
enum kind { ACCEPT, RECEIVE, SEND, CLOSE };

static struct io_uring ring;
static struct io_uring_buf_ring *buffer_ring;
static char *buffers;
static int recycled;

static void accept_from(int listener)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	sqe->user_data = (uint64_t)listener << 2 | ACCEPT;
}

static void receive_from(int fd)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->user_data = (uint64_t)fd << 2 | RECEIVE;
}

static void respond_to(int fd)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_send(sqe, fd, RESPONSE, RESPONSE_BYTES, 0);
	sqe->user_data = (uint64_t)fd << 2 | SEND;
}

static void close_connection(int fd)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_close(sqe, fd);
	sqe->user_data = (uint64_t)fd << 2 | CLOSE;
}

static unsigned count_requests(const char *bytes, int length)
{
	unsigned count = 0;
	for (int i = 3; i < length; i++)
		if (bytes[i] == '\n' && bytes[i - 1] == '\r' && bytes[i - 2] == '\n'
		    && bytes[i - 3] == '\r')
			count++;
	return count;
}

static void provide(unsigned short bid)
{
	io_uring_buf_ring_add(buffer_ring, buffers + (size_t)bid * BUFFER_BYTES, BUFFER_BYTES, bid,
			      io_uring_buf_ring_mask(BUFFERS), recycled++);
}

static void received(int fd, const struct io_uring_cqe *cqe)
{
	if (cqe->res > 0) {
		unsigned short bid = (unsigned short)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
		unsigned requests = count_requests(buffers + (size_t)bid * BUFFER_BYTES, cqe->res);
		provide(bid);
		if (requests != 1)
			fail("An arrival was not exactly one request", EPROTO);
		respond_to(fd);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			receive_from(fd);
	} else if (cqe->res == -ENOBUFS) {
		receive_from(fd);
	} else {
		/*
		 * Whatever SOCK_NONEMPTY says: TCP sets it at the end too. A connection closed by
		 * mistake is one that wrk complains of.
		 */
		close_connection(fd);
	}
}

static void completed(const struct io_uring_cqe *cqe)
{
	int fd = (int)(cqe->user_data >> 2);
	switch ((enum kind)(cqe->user_data & 3)) {
	case ACCEPT:
		if (cqe->res < 0)
			fail("Cannot accept", cqe->res);
		receive_from(cqe->res);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			accept_from(fd);
		break;
	case RECEIVE:
		received(fd, cqe);
		break;
	case SEND:
		/* A connection that broke is closed by its receive. */
		if (cqe->res >= 0 && (size_t)cqe->res != RESPONSE_BYTES)
			fail("A send was short", EIO);
		break;
	case CLOSE:
		break;
	}
}

int main(void)
{
	open_ring(&ring, SQ_ENTRIES, CQ_ENTRIES);
	buffer_ring = register_buffers(&ring, BUFFERS, BUFFER_BYTES, GROUP, &buffers);
	for (unsigned short bid = 0; bid < BUFFERS; bid++)
		provide(bid);
	io_uring_buf_ring_advance(buffer_ring, recycled);
	accept_from(listen_on_any_port());
	for (;;) {
		submit_and_wait(&ring, 1);

		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned reaped = 0;
		recycled = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			completed(cqe);
			reaped++;
		}
		io_uring_buf_ring_advance(buffer_ring, recycled);
		io_uring_cq_advance(&ring, reaped);
	}
}
