/* NOPs in batches: queue --batch of them, enter the kernel once, reap as many. */
#include "bench.h"

int main(int argc, char **argv)
{
	unsigned batch = (unsigned)atoi(option(argc, argv, "--batch"));
	struct io_uring ring;
	open_ring(&ring, 128, 256);

	struct measurement measurement = measurement_begin(argc, argv);
	uint64_t ops = 0;
	uint64_t sum = 0;
	while (measurement_proceeds(&measurement, ops)) {
		for (unsigned i = 0; i < batch; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
			if (!sqe)
				fail("The submission queue is full", EBUSY);
			io_uring_prep_nop(sqe);
			sqe->user_data = i;
		}
		submit_and_wait(&ring, batch);

		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned reaped = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			sum += cqe->user_data;
			reaped++;
		}
		io_uring_cq_advance(&ring, reaped);
		ops += reaped;
	}
	if (sum != ops / batch * ((uint64_t)batch * (batch - 1) / 2))
		fail("The completions do not add up", EIO);
	io_uring_queue_exit(&ring);
	return 0;
}
