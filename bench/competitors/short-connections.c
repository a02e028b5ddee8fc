/*
 * Connects to the greeter at --port, or --unix, reads until it ends its side and closes: --at-once at a time, over and over
 * for --seconds. It prints how many there were and what they cost. A load, and a competitor, whose --warmup it does not need.
 */
#include "loopback.h"

#define AT_ONCE_MAX 1024

/* The user data of an operation is the descriptor, and its kind in the low bit. */
enum kind { RECEIVE, OTHER };

static struct io_uring ring;
static struct endpoint address;
static char scrap[64];

/*
 * Each is done whatever became of the one before. The greeter's byte is shorter than what is waited for, so that the receive ends
 * with the greeter's side.
 */
static void connect_once(void)
{
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("Cannot make a socket", errno);
	if (io_uring_sq_space_left(&ring) < 3)
		submit_and_wait(&ring, 0);
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_connect(sqe, fd, &address.any, address.length);
	sqe->flags |= IOSQE_IO_HARDLINK | IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = (uint64_t)fd << 1 | OTHER;
	sqe = next_sqe(&ring);
	io_uring_prep_recv(sqe, fd, scrap, sizeof(scrap), MSG_WAITALL);
	sqe->flags |= IOSQE_IO_HARDLINK;
	sqe->user_data = (uint64_t)fd << 1 | RECEIVE;
	sqe = next_sqe(&ring);
	io_uring_prep_close(sqe, fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = (uint64_t)fd << 1 | OTHER;
}

int main(int argc, char **argv)
{
	double seconds = atof(option(argc, argv, "--seconds"));
	unsigned at_once = (unsigned)atoi(option(argc, argv, "--at-once"));
	if (at_once > AT_ONCE_MAX)
		fail("Cannot make that many", EINVAL);
	address = server_address(argc, argv);
	open_ring(&ring, 4 * AT_ONCE_MAX, 8 * AT_ONCE_MAX);
	for (unsigned i = 0; i < at_once; i++)
		connect_once();

	double start = wall_seconds();
	double start_cpu = cpu_seconds();
	double elapsed = 0;
	uint64_t ops = 0;
	/* Those that are under way at the end are waited for: the server has had its work with them. */
	for (uint64_t running = at_once; running > 0;) {
		submit_and_wait(&ring, 1);
		elapsed = wall_seconds() - start;
		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned reaped = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			reaped++;
			if ((cqe->user_data & 1) == OTHER)
				fail("Cannot connect or close", cqe->res);
			if (cqe->res != 1)
				fail("A connection did not bring its byte", cqe->res < 0 ? cqe->res : EPROTO);
			ops++;
			if (elapsed < seconds)
				connect_once();
			else
				running--;
		}
		io_uring_cq_advance(&ring, reaped);
	}
	printf("{\"ops\":%llu,\"seconds\":%.9f,\"cpuSeconds\":%.6f}\n", (unsigned long long)ops, elapsed,
	       cpu_seconds() - start_cpu);
	return 0;
}
