/* A ring of provided buffers, and the memory of the buffers; liburing 2.3 has no call that makes both. */
#ifndef BUFFER_RING_H
#define BUFFER_RING_H

#include "bench.h"

static inline struct io_uring_buf_ring *register_buffers(struct io_uring *ring, unsigned entries,
							 size_t buffer_bytes, int group,
							 char **buffers)
{
	struct io_uring_buf_ring *buffer_ring;
	size_t ring_bytes = entries * sizeof(struct io_uring_buf);
	if (posix_memalign((void **)&buffer_ring, 4096, ring_bytes) != 0
	    || posix_memalign((void **)buffers, 4096, entries * buffer_bytes) != 0)
		fail("Cannot allocate", ENOMEM);
	memset(buffer_ring, 0, ring_bytes);
	struct io_uring_buf_reg registration = {
		.ring_addr = (uint64_t)(uintptr_t)buffer_ring,
		.ring_entries = entries,
		.bgid = (unsigned short)group,
	};
	int error = io_uring_register_buf_ring(ring, &registration, 0);
	if (error < 0)
		fail("Cannot register the buffer ring", error);
	io_uring_buf_ring_init(buffer_ring);
	return buffer_ring;
}

#endif
