/** Constants for mmap(2) of a ring. The same numbers on x86-64 and arm64. */

export const PROT_NONE = 0x0;
export const PROT_READ = 0x1;
export const PROT_WRITE = 0x2;

/** Seen by everybody who maps it: the kernel, for a ring. */
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
/** No file behind it. */
export const MAP_ANONYMOUS = 0x20;
/** All pages are there at once: no page fault later. */
export const MAP_POPULATE = 0x8000;
/** Huge pages, for rings in memory of the program (IORING_SETUP_NO_MMAP). */
export const MAP_HUGETLB = 0x40000;

// Which part of a ring to map: the offset in mmap(2). Kernel 5.1, where nothing else is said.

/** The SQ, and with IORING_FEAT_SINGLE_MMAP the CQ too. */
export const IORING_OFF_SQ_RING = 0x0;
/** The CQ, where it is not in the same mapping. */
export const IORING_OFF_CQ_RING = 0x8000000;
/** The SQEs. */
export const IORING_OFF_SQES = 0x10000000;
/** Kernel 6.4. A buffer ring of IOU_PBUF_RING_MMAP; its group id goes to IORING_OFF_PBUF_SHIFT. */
export const IORING_OFF_PBUF_RING = 0x80000000;
export const IORING_OFF_PBUF_SHIFT = 16;
/** The bits that tell these parts from each other. */
export const IORING_OFF_MMAP_MASK = 0xf8000000;
