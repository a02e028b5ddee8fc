/*
 * Sends zeros in pieces of --size to whoever connects, until they end their side; then a report.
 * --way: send (the kernel copies each piece), zc (it refers to it), fixed (the same, from
 * a registered buffer). Pieces are linked in chains, so that they go in order. The kernel refers to
 * a piece until the other side has acknowledged it, so there is memory for many at any size.
 */
#include "loopback.h"
#include <sys/uio.h>

/* What liburing 2.3 has no names for. */
#define SEND_ZC_REPORT_USAGE (1U << 3)
#define NOTIF_USAGE_ZC_COPIED (1U << 31)

#define MEMORY_BYTES (4 << 20)
#define CHAIN 8
#define CHAINS_MAX (MEMORY_BYTES / 1024 / CHAIN)
#define CQ_ENTRIES 16384

/* The user data of an operation: the piece of a send, or what comes after all pieces. */
enum other { ACCEPT = CHAINS_MAX * CHAIN, END, REPORT, CLOSE };

static struct io_uring ring;
static char *memory;
static size_t size;
static bool zero_copy;
static bool fixed_buffers;
static int connection = -1;
static bool ending;

/* Sends of the current chain that have no result yet; pieces of each chain that are lent. */
static unsigned unfinished;
static unsigned lent[CHAINS_MAX];
static unsigned lent_in_all;
static unsigned chains;
static unsigned next_chain;

static struct {
	uint64_t sends;
	uint64_t notifications;
	uint64_t copied;
} counted;

static void accept_one(int listener)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_accept(sqe, listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	sqe->user_data = ACCEPT;
}

static void send_piece(unsigned piece, bool last)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	char *bytes = memory + piece * size;
	if (fixed_buffers)
		io_uring_prep_send_zc_fixed(sqe, connection, bytes, size, MSG_WAITALL,
					    SEND_ZC_REPORT_USAGE, 0);
	else if (zero_copy)
		io_uring_prep_send_zc(sqe, connection, bytes, size, MSG_WAITALL,
				      SEND_ZC_REPORT_USAGE);
	else
		io_uring_prep_send(sqe, connection, bytes, size, MSG_WAITALL);
	if (!last)
		sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = piece;
}

static void send_chain(void)
{
	unsigned first = next_chain * CHAIN;
	for (unsigned i = 0; i < CHAIN; i++)
		send_piece(first + i, i == CHAIN - 1);
	unfinished = CHAIN;
	lent[next_chain] = CHAIN;
	lent_in_all += CHAIN;
	next_chain = (next_chain + 1) % chains;
}

static void report(void)
{
	static char text[256];
	int length = snprintf(text, sizeof(text),
		"{\"sends\":%llu,\"notifications\":%llu,\"copied\":%llu}",
		(unsigned long long)counted.sends, (unsigned long long)counted.notifications,
		(unsigned long long)counted.copied);
	memset(&counted, 0, sizeof(counted));
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_send(sqe, connection, text, (size_t)length, MSG_WAITALL);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = REPORT;
	sqe = next_sqe(&ring);
	io_uring_prep_close(sqe, connection);
	sqe->user_data = CLOSE;
}

static void proceed(void)
{
	if (connection < 0 || unfinished > 0)
		return;
	if (!ending) {
		if (lent[next_chain] == 0)
			send_chain();
	} else if (lent_in_all == 0) {
		report();
		connection = -1;
	}
}

static void give_back(unsigned chain)
{
	lent[chain]--;
	lent_in_all--;
}

static void sent(const struct io_uring_cqe *cqe)
{
	unsigned chain = (unsigned)cqe->user_data / CHAIN;
	if (cqe->flags & IORING_CQE_F_NOTIF) {
		counted.notifications++;
		counted.copied += ((unsigned)cqe->res & NOTIF_USAGE_ZC_COPIED) != 0;
		give_back(chain);
		return;
	}
	if (cqe->res != (int)size)
		fail("A send failed or was short", cqe->res < 0 ? cqe->res : EIO);
	counted.sends++;
	unfinished--;
	if (!(cqe->flags & IORING_CQE_F_MORE))
		give_back(chain);
}

static void completed(const struct io_uring_cqe *cqe, int listener)
{
	static char nothing;
	switch (cqe->user_data) {
	case ACCEPT:
		if (cqe->res < 0)
			fail("Cannot accept", cqe->res);
		connection = cqe->res;
		ending = false;
		struct io_uring_sqe *sqe = next_sqe(&ring);
		io_uring_prep_recv(sqe, connection, &nothing, 1, 0);
		sqe->user_data = END;
		break;
	case END:
		if (cqe->res != 0)
			fail("The connection did not end", cqe->res < 0 ? cqe->res : EPROTO);
		ending = true;
		break;
	case REPORT:
		if (cqe->res < 0)
			fail("Cannot report", cqe->res);
		break;
	case CLOSE:
		accept_one(listener);
		break;
	default:
		sent(cqe);
	}
}

/* The whole memory is one registered buffer. */
static void register_memory(void)
{
	struct iovec whole = { memory, MEMORY_BYTES };
	int error = io_uring_register_buffers(&ring, &whole, 1);
	if (error < 0)
		fail("Cannot register the memory", error);
}

int main(int argc, char **argv)
{
	const char *way = option(argc, argv, "--way");
	fixed_buffers = strcmp(way, "fixed") == 0;
	zero_copy = fixed_buffers || strcmp(way, "zc") == 0;
	size = (size_t)atoi(option(argc, argv, "--size"));
	chains = MEMORY_BYTES / (unsigned)size / CHAIN;
	if (chains < 2 || chains > CHAINS_MAX)
		fail("Cannot send pieces of that size", EINVAL);
	if (posix_memalign((void **)&memory, 4096, MEMORY_BYTES) != 0)
		fail("Cannot allocate", ENOMEM);
	memset(memory, 0, MEMORY_BYTES);
	open_ring(&ring, 2 * CHAIN, CQ_ENTRIES);
	if (fixed_buffers)
		register_memory();
	int listener = listen_on_any_port();
	accept_one(listener);
	for (;;) {
		submit_and_wait(&ring, 1);

		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned reaped = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			completed(cqe, listener);
			reaped++;
		}
		io_uring_cq_advance(&ring, reaped);
		proceed();
	}
}
