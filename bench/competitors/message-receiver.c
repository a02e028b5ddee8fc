/*
 * Receives streams of messages: multishot accept, one multishot receive a connection. --way says
 * how the kernel uses the --buffers of --buffer-bytes: one an arrival (plain), as many as arrived
 * (bundle), or piece by piece (incremental). The last --held arrivals keep their buffers, as those
 * do that a program is working on. When the last connection has ended it gets a report.
 */
#include "loopback.h"

/* What liburing 2.3 has no names for. */
#define RECVSEND_BUNDLE (1U << 4)
#define PBUF_RING_INC 2
#define CQE_F_BUF_MORE (1U << 4)

#define SQ_ENTRIES 1024
#define CQ_ENTRIES 4096
#define DESCRIPTORS_MAX 4096
#define HELD_MAX 256
#define GROUP 0
#define KEPT (-1)

/* The user data of an operation is its descriptor times four, and its kind in the two low bits. */
enum kind { ACCEPT, RECEIVE, REPORT, CLOSE };

static struct io_uring ring;
static struct io_uring_buf_ring *buffer_ring;
static char *memory;
static unsigned buffers;
static unsigned buffer_bytes;
static bool bundle;
static bool incremental;
static int recycled;

/* How much of each buffer is filled, where it is filled piece by piece. */
static unsigned *filled;
static uint64_t positions[DESCRIPTORS_MAX];
static unsigned connections;

/* What each of the last arrivals leaves free, in order: a buffer, or KEPT. */
static int held[HELD_MAX];
static unsigned held_max;
static unsigned held_count;
static unsigned oldest;

static struct {
	uint64_t bytes;
	uint64_t completions;
	uint64_t buffers;
	uint64_t rearms;
} counted;

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
	if (bundle)
		sqe->ioprio |= RECVSEND_BUNDLE;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->user_data = (uint64_t)fd << 2 | RECEIVE;
}

static void provide(int bid)
{
	io_uring_buf_ring_add(buffer_ring, memory + (size_t)bid * buffer_bytes, buffer_bytes,
			      (unsigned short)bid, io_uring_buf_ring_mask(buffers), recycled++);
}

static void let_go(void)
{
	if (held[oldest] != KEPT)
		provide(held[oldest]);
	oldest = (oldest + 1) % HELD_MAX;
	held_count--;
}

/* An arrival leaves buffer `bid` free, or KEPT, when the program is done with it. */
static void hold(int bid)
{
	held[(oldest + held_count++) % HELD_MAX] = bid;
	if (held_count > held_max)
		let_go();
}

static void check(uint64_t position, const char *bytes)
{
	if ((unsigned char)*bytes != (unsigned char)(position ^ position >> 8))
		fail("The bytes are in the wrong order", EPROTO);
}

static void arrived(int fd, const struct io_uring_cqe *cqe)
{
	unsigned left = (unsigned)cqe->res;
	unsigned bid = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	counted.completions++;
	if (incremental) {
		check(positions[fd], memory + (size_t)bid * buffer_bytes + filled[bid]);
		positions[fd] += left;
		bool more = (cqe->flags & CQE_F_BUF_MORE) != 0;
		filled[bid] = more ? filled[bid] + left : 0;
		counted.buffers += !more;
		hold(more ? KEPT : (int)bid);
		return;
	}
	/* The buffers of a bundle follow each other in the ring: in the order of their ids. */
	for (;; bid = (bid + 1) & (buffers - 1)) {
		unsigned here = left < buffer_bytes ? left : buffer_bytes;
		check(positions[fd], memory + (size_t)bid * buffer_bytes);
		positions[fd] += here;
		counted.buffers++;
		hold((int)bid);
		left -= here;
		if (left == 0)
			break;
	}
}

static void ended(int fd)
{
	static char report[256];
	counted.bytes += positions[fd];
	if (--connections == 0) {
		int length = snprintf(report, sizeof(report),
				      "{\"bytes\":%llu,\"completions\":%llu,"
				      "\"buffers\":%llu,\"rearms\":%llu}",
				      (unsigned long long)counted.bytes,
				      (unsigned long long)counted.completions,
				      (unsigned long long)counted.buffers,
				      (unsigned long long)counted.rearms);
		memset(&counted, 0, sizeof(counted));
		struct io_uring_sqe *sqe = next_sqe(&ring);
		io_uring_prep_send(sqe, fd, report, (size_t)length, MSG_WAITALL);
		sqe->flags |= IOSQE_IO_LINK;
		sqe->user_data = (uint64_t)fd << 2 | REPORT;
	}
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_close(sqe, fd);
	sqe->user_data = (uint64_t)fd << 2 | CLOSE;
}

static void received(int fd, const struct io_uring_cqe *cqe)
{
	if (cqe->res == 0) {
		ended(fd);
		return;
	}
	if (cqe->res > 0)
		arrived(fd, cqe);
	else if (cqe->res != -ENOBUFS)
		fail("Cannot receive", cqe->res);
	/* No buffer is left: the work comes first. */
	while (cqe->res < 0 && held_count > 0)
		let_go();
	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		counted.rearms++;
		receive_from(fd);
	}
}

static void completed(const struct io_uring_cqe *cqe)
{
	int fd = (int)(cqe->user_data >> 2);
	switch ((enum kind)(cqe->user_data & 3)) {
	case ACCEPT:
		if (cqe->res < 0 || cqe->res >= DESCRIPTORS_MAX)
			fail("Cannot accept", cqe->res < 0 ? cqe->res : EMFILE);
		connections++;
		positions[cqe->res] = 0;
		receive_from(cqe->res);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			accept_from(fd);
		break;
	case RECEIVE:
		received(fd, cqe);
		break;
	case REPORT:
	case CLOSE:
		if (cqe->res < 0)
			fail("Cannot report", cqe->res);
		break;
	}
}

static void register_buffers(void)
{
	size_t ring_bytes = buffers * sizeof(struct io_uring_buf);
	filled = calloc(buffers, sizeof(*filled));
	if (!filled || posix_memalign((void **)&buffer_ring, 4096, ring_bytes) != 0
	    || posix_memalign((void **)&memory, 4096, (size_t)buffers * buffer_bytes) != 0)
		fail("Cannot allocate", ENOMEM);
	memset(buffer_ring, 0, ring_bytes);
	struct io_uring_buf_reg registration = {
		.ring_addr = (uint64_t)(uintptr_t)buffer_ring,
		.ring_entries = buffers,
		.bgid = GROUP,
	};
	/* The field that liburing 2.3 calls `pad` holds the flags. */
	registration.pad = incremental ? PBUF_RING_INC : 0;
	int error = io_uring_register_buf_ring(&ring, &registration, 0);
	if (error < 0)
		fail("Cannot register the buffer ring", error);
	io_uring_buf_ring_init(buffer_ring);
	for (unsigned bid = 0; bid < buffers; bid++)
		provide((int)bid);
	io_uring_buf_ring_advance(buffer_ring, recycled);
}

int main(int argc, char **argv)
{
	const char *way = option(argc, argv, "--way");
	bundle = strcmp(way, "bundle") == 0;
	incremental = strcmp(way, "incremental") == 0;
	buffers = (unsigned)atoi(option(argc, argv, "--buffers"));
	buffer_bytes = (unsigned)atoi(option(argc, argv, "--buffer-bytes"));
	held_max = (unsigned)atoi(option(argc, argv, "--held"));
	if (held_max >= HELD_MAX)
		fail("Cannot hold that many", EINVAL);
	open_ring(&ring, SQ_ENTRIES, CQ_ENTRIES);
	register_buffers();
	accept_from(listen_at(argc, argv));
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
