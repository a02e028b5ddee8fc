/** The operations of io_uring_register(2): a constant for each operation, and a table of all of them. */

/** Register buffers, which stay in memory: at most 16384 of at most 1 GiB. Kernel 5.1. */
export const IORING_REGISTER_BUFFERS = 0;
/** Give up all registered buffers. Kernel 5.1. */
export const IORING_UNREGISTER_BUFFERS = 1;
/** Register files: fill the table of slots. Kernel 5.1. */
export const IORING_REGISTER_FILES = 2;
/** Give up the table of slots. Kernel 5.1. */
export const IORING_UNREGISTER_FILES = 3;
/** Have an eventfd signalled with every batch of completions; EBUSY if there is one. Kernel 5.2. */
export const IORING_REGISTER_EVENTFD = 4;
/** Have no eventfd signalled; ENXIO if there is none. Kernel 5.2. */
export const IORING_UNREGISTER_EVENTFD = 5;
/** Change slots: -1 empties one, -2 leaves it; returns how many. Kernel 5.5. */
export const IORING_REGISTER_FILES_UPDATE = 6;
/** As REGISTER_EVENTFD, but only for what was not complete at once. Kernel 5.6. */
export const IORING_REGISTER_EVENTFD_ASYNC = 7;
/** Ask which operations there are. Kernel 5.6. */
export const IORING_REGISTER_PROBE = 8;
/** Keep the present credentials; returns their id, from 1. Kernel 5.6. */
export const IORING_REGISTER_PERSONALITY = 9;
/** Forget credentials. Kernel 5.6. */
export const IORING_UNREGISTER_PERSONALITY = 10;
/** Allow only some operations and flags, while the ring is still disabled; once. Kernel 5.10. */
export const IORING_REGISTER_RESTRICTIONS = 11;
/** Start a ring of IORING_SETUP_R_DISABLED; the caller becomes its single issuer. Kernel 5.10. */
export const IORING_REGISTER_ENABLE_RINGS = 12;
/** Register files with tags, or an empty table. Kernel 5.13. */
export const IORING_REGISTER_FILES2 = 13;
/** Change slots, with tags. Kernel 5.13. */
export const IORING_REGISTER_FILES_UPDATE2 = 14;
/** Register buffers with tags, or an empty table. Kernel 5.13. */
export const IORING_REGISTER_BUFFERS2 = 15;
/** Change registered buffers, with tags. Kernel 5.13. */
export const IORING_REGISTER_BUFFERS_UPDATE = 16;
/** Bind the workers to CPUs. Kernel 5.14. */
export const IORING_REGISTER_IOWQ_AFF = 17;
/** Unbind the workers. Kernel 5.14. */
export const IORING_UNREGISTER_IOWQ_AFF = 18;
/** Limit the workers; 0 leaves a limit, the old ones come back. Kernel 5.15. */
export const IORING_REGISTER_IOWQ_MAX_WORKERS = 19;
/** Give rings an index in this thread, of 16, to enter them by. Kernel 5.18. */
export const IORING_REGISTER_RING_FDS = 20;
/** Free such indices, which closing the ring does not. Kernel 5.18. */
export const IORING_UNREGISTER_RING_FDS = 21;
/** Attach a ring of provided buffers to a group. Kernel 5.19. */
export const IORING_REGISTER_PBUF_RING = 22;
/** Detach it. Kernel 5.19. */
export const IORING_UNREGISTER_PBUF_RING = 23;
/** Cancel requests, and wait until they are. Kernel 6.0. */
export const IORING_REGISTER_SYNC_CANCEL = 24;
/** Set the slots that IORING_FILE_INDEX_ALLOC picks from. Kernel 6.0. */
export const IORING_REGISTER_FILE_ALLOC_RANGE = 25;
/** Ask how far the kernel is in a ring of provided buffers. Kernel 6.8. */
export const IORING_REGISTER_PBUF_STATUS = 26;
/** Poll the network card while waiting; the old settings come back. Kernel 6.9. */
export const IORING_REGISTER_NAPI = 27;
/** End that polling. Kernel 6.9. */
export const IORING_UNREGISTER_NAPI = 28;
/** Choose the clock of waits: CLOCK_MONOTONIC or CLOCK_BOOTTIME. Kernel 6.12. */
export const IORING_REGISTER_CLOCK = 29;
/** Share another ring's registered buffers. Kernel 6.12. */
export const IORING_REGISTER_CLONE_BUFFERS = 30;
/** Post a completion to a ring without having one. Kernel 6.13. */
export const IORING_REGISTER_SEND_MSG_RING = 31;
/** Bind a receive queue of a network card, for RECV_ZC; needs CAP_NET_ADMIN. Kernel 6.15. */
export const IORING_REGISTER_ZCRX_IFQ = 32;
/** Make the queues of a DEFER_TASKRUN ring larger or smaller. Kernel 6.13. */
export const IORING_REGISTER_RESIZE_RINGS = 33;
/** Give the ring a region of memory, for wait arguments. Kernel 6.13. */
export const IORING_REGISTER_MEM_REGION = 34;
/** Ask which operations, flags and features there are, without a ring. Kernel 6.18. */
export const IORING_REGISTER_QUERY = 35;
/** Flush a zero-copy receive instance, or export it. Kernel 6.19. */
export const IORING_REGISTER_ZCRX_CTRL = 36;
/** Filter requests by a classic-BPF program for each operation. Kernel 7.0. */
export const IORING_REGISTER_BPF_FILTER = 37;

/** Kernel 6.3. No operation but a bit to be added to one: the descriptor is a registered ring's index. */
export const IORING_REGISTER_USE_REGISTERED_RING = 0x80000000;

/** One operation of io_uring_register(2). */
export interface Registration {
  readonly code: number;
  readonly name: string;
  /** The ring's methods for it, or functions of the package; of a buffer ring, what it returns has the rest. */
  readonly methods: readonly string[];
  /** The first kernel that has it. */
  readonly since: string;
  /** The first kernel that has a later form of it, by form. */
  readonly variants?: Readonly<Record<string, string>>;
  /**
   * The things in flight that older kernels wait for in the call, and the first kernel that does not: `everything`, or
   * `tables`, which is what uses registered files or buffers. It may never come to an end.
   */
  readonly waitsFor?: { readonly everything?: string; readonly tables?: string };
  /** The meaning of the arguments `arg` and `nr_args`. */
  readonly argument: string;
  readonly purpose: string;
  /** liburing's functions for it. */
  readonly wrappers: readonly string[];
}

/** All operations of io_uring_register(2); the index is the code. */
export const REGISTRATIONS: readonly Registration[] = [
  {
    code: IORING_REGISTER_BUFFERS,
    name: 'IORING_REGISTER_BUFFERS',
    methods: ['registerBuffers'],
    since: '5.1',
    waitsFor: { everything: '5.13' },
    argument: 'array of iovec; how many',
    purpose: 'register buffers, which stay in memory: at most 16384 of at most 1 GiB',
    wrappers: ['io_uring_register_buffers'],
  },
  {
    code: IORING_UNREGISTER_BUFFERS,
    name: 'IORING_UNREGISTER_BUFFERS',
    methods: ['unregisterBuffers'],
    since: '5.1',
    waitsFor: { everything: '5.13', tables: '6.13' },
    argument: 'none; 0',
    purpose: 'give up all registered buffers',
    wrappers: ['io_uring_unregister_buffers'],
  },
  {
    code: IORING_REGISTER_FILES,
    name: 'IORING_REGISTER_FILES',
    methods: ['registerFiles'],
    since: '5.1',
    waitsFor: { everything: '5.13' },
    argument: 'array of 32-bit descriptors, -1 for an empty slot; how many',
    purpose: 'register files: fill the table of slots',
    wrappers: ['io_uring_register_files'],
  },
  {
    code: IORING_UNREGISTER_FILES,
    name: 'IORING_UNREGISTER_FILES',
    methods: ['unregisterFiles'],
    since: '5.1',
    waitsFor: { tables: '6.13' },
    argument: 'none; 0',
    purpose: 'give up the table of slots',
    wrappers: ['io_uring_unregister_files'],
  },
  {
    code: IORING_REGISTER_EVENTFD,
    name: 'IORING_REGISTER_EVENTFD',
    methods: ['registerEventfd'],
    since: '5.2',
    waitsFor: { everything: '5.18' },
    argument: 'one 32-bit descriptor; 1',
    purpose: 'have an eventfd signalled with every batch of completions; EBUSY if there is one',
    wrappers: ['io_uring_register_eventfd'],
  },
  {
    code: IORING_UNREGISTER_EVENTFD,
    name: 'IORING_UNREGISTER_EVENTFD',
    methods: ['unregisterEventfd'],
    since: '5.2',
    waitsFor: { everything: '5.18' },
    argument: 'none; 0',
    purpose: 'have no eventfd signalled; ENXIO if there is none',
    wrappers: ['io_uring_unregister_eventfd'],
  },
  {
    code: IORING_REGISTER_FILES_UPDATE,
    name: 'IORING_REGISTER_FILES_UPDATE',
    methods: ['registerFilesUpdate'],
    since: '5.5',
    variants: { skip: '5.12' },
    argument: 'io_uring_rsrc_update; how many descriptors',
    purpose: 'change slots: -1 empties one, -2 leaves it; returns how many',
    wrappers: ['io_uring_register_files_update'],
  },
  {
    code: IORING_REGISTER_EVENTFD_ASYNC,
    name: 'IORING_REGISTER_EVENTFD_ASYNC',
    methods: ['registerEventfdAsync'],
    since: '5.6',
    waitsFor: { everything: '5.18' },
    argument: 'one 32-bit descriptor; 1',
    purpose: 'as REGISTER_EVENTFD, but only for what was not complete at once',
    wrappers: ['io_uring_register_eventfd_async'],
  },
  {
    code: IORING_REGISTER_PROBE,
    name: 'IORING_REGISTER_PROBE',
    methods: ['probe'],
    since: '5.6',
    argument: 'io_uring_probe and its operations, all zero; how many',
    purpose: 'ask which operations there are',
    wrappers: [
      'io_uring_register_probe',
      'io_uring_get_probe',
      'io_uring_get_probe_ring',
      'io_uring_free_probe',
      'io_uring_opcode_supported',
    ],
  },
  {
    code: IORING_REGISTER_PERSONALITY,
    name: 'IORING_REGISTER_PERSONALITY',
    methods: ['registerPersonality'],
    since: '5.6',
    argument: 'none; 0',
    purpose: 'keep the present credentials; returns their id, from 1',
    wrappers: ['io_uring_register_personality'],
  },
  {
    code: IORING_UNREGISTER_PERSONALITY,
    name: 'IORING_UNREGISTER_PERSONALITY',
    methods: ['unregisterPersonality'],
    since: '5.6',
    argument: 'none; the id',
    purpose: 'forget credentials',
    wrappers: ['io_uring_unregister_personality'],
  },
  {
    code: IORING_REGISTER_RESTRICTIONS,
    name: 'IORING_REGISTER_RESTRICTIONS',
    methods: ['registerRestrictions'],
    since: '5.10',
    variants: { task: '7.0' },
    waitsFor: { everything: '5.18' },
    argument: 'array of io_uring_restriction; how many. For a task: io_uring_task_restriction; 1',
    purpose: 'allow only some operations and flags, while the ring is still disabled; once',
    wrappers: ['io_uring_register_restrictions'],
  },
  {
    code: IORING_REGISTER_ENABLE_RINGS,
    name: 'IORING_REGISTER_ENABLE_RINGS',
    methods: ['enableRings'],
    since: '5.10',
    waitsFor: { everything: '5.18' },
    argument: 'none; 0',
    purpose: 'start a ring of IORING_SETUP_R_DISABLED; the caller becomes its single issuer',
    wrappers: ['io_uring_enable_rings'],
  },
  {
    code: IORING_REGISTER_FILES2,
    name: 'IORING_REGISTER_FILES2',
    methods: ['registerFiles', 'registerFilesSparse'],
    since: '5.13',
    variants: { sparse: '5.19' },
    argument: 'io_uring_rsrc_register; its size',
    purpose: 'register files with tags, or an empty table',
    wrappers: ['io_uring_register_files_tags', 'io_uring_register_files_sparse'],
  },
  {
    code: IORING_REGISTER_FILES_UPDATE2,
    name: 'IORING_REGISTER_FILES_UPDATE2',
    methods: ['registerFilesUpdate'],
    since: '5.13',
    argument: 'io_uring_rsrc_update2; its size',
    purpose: 'change slots, with tags',
    wrappers: ['io_uring_register_files_update_tag'],
  },
  {
    code: IORING_REGISTER_BUFFERS2,
    name: 'IORING_REGISTER_BUFFERS2',
    methods: ['registerBuffers', 'registerBuffersSparse'],
    since: '5.13',
    variants: { sparse: '5.19' },
    argument: 'io_uring_rsrc_register; its size',
    purpose: 'register buffers with tags, or an empty table',
    wrappers: ['io_uring_register_buffers_tags', 'io_uring_register_buffers_sparse'],
  },
  {
    code: IORING_REGISTER_BUFFERS_UPDATE,
    name: 'IORING_REGISTER_BUFFERS_UPDATE',
    methods: ['registerBuffersUpdate'],
    since: '5.13',
    argument: 'io_uring_rsrc_update2; its size',
    purpose: 'change registered buffers, with tags',
    wrappers: ['io_uring_register_buffers_update_tag'],
  },
  {
    code: IORING_REGISTER_IOWQ_AFF,
    name: 'IORING_REGISTER_IOWQ_AFF',
    methods: ['registerIowqAff'],
    since: '5.14',
    argument: 'CPU mask; its size',
    purpose: 'bind the workers to CPUs',
    wrappers: ['io_uring_register_iowq_aff'],
  },
  {
    code: IORING_UNREGISTER_IOWQ_AFF,
    name: 'IORING_UNREGISTER_IOWQ_AFF',
    methods: ['unregisterIowqAff'],
    since: '5.14',
    argument: 'none; 0',
    purpose: 'unbind the workers',
    wrappers: ['io_uring_unregister_iowq_aff'],
  },
  {
    code: IORING_REGISTER_IOWQ_MAX_WORKERS,
    name: 'IORING_REGISTER_IOWQ_MAX_WORKERS',
    methods: ['registerIowqMaxWorkers'],
    since: '5.15',
    argument: 'two 32-bit numbers, by IO_WQ_*; 2',
    purpose: 'limit the workers; 0 leaves a limit, the old ones come back',
    wrappers: ['io_uring_register_iowq_max_workers'],
  },
  {
    code: IORING_REGISTER_RING_FDS,
    name: 'IORING_REGISTER_RING_FDS',
    methods: ['registerRingFd'],
    since: '5.18',
    argument: 'array of io_uring_rsrc_update; how many',
    purpose: 'give rings an index in this thread, of 16, to enter them by',
    wrappers: ['io_uring_register_ring_fd'],
  },
  {
    code: IORING_UNREGISTER_RING_FDS,
    name: 'IORING_UNREGISTER_RING_FDS',
    methods: ['unregisterRingFd'],
    since: '5.18',
    argument: 'array of io_uring_rsrc_update; how many',
    purpose: 'free such indices, which closing the ring does not',
    wrappers: ['io_uring_unregister_ring_fd'],
  },
  {
    code: IORING_REGISTER_PBUF_RING,
    name: 'IORING_REGISTER_PBUF_RING',
    methods: ['registerBufRing'],
    since: '5.19',
    variants: { mmap: '6.4', incremental: '6.12' },
    argument: 'io_uring_buf_reg; 1',
    purpose: 'attach a ring of provided buffers to a group',
    wrappers: ['io_uring_register_buf_ring', 'io_uring_setup_buf_ring'],
  },
  {
    code: IORING_UNREGISTER_PBUF_RING,
    name: 'IORING_UNREGISTER_PBUF_RING',
    methods: ['registerBufRing'],
    since: '5.19',
    argument: 'io_uring_buf_reg; 1',
    purpose: 'detach it',
    wrappers: ['io_uring_unregister_buf_ring', 'io_uring_free_buf_ring'],
  },
  {
    code: IORING_REGISTER_SYNC_CANCEL,
    name: 'IORING_REGISTER_SYNC_CANCEL',
    methods: ['registerSyncCancel'],
    since: '6.0',
    argument: 'io_uring_sync_cancel_reg; 1',
    purpose: 'cancel requests, and wait until they are',
    wrappers: ['io_uring_register_sync_cancel'],
  },
  {
    code: IORING_REGISTER_FILE_ALLOC_RANGE,
    name: 'IORING_REGISTER_FILE_ALLOC_RANGE',
    methods: ['registerFileAllocRange'],
    since: '6.0',
    argument: 'io_uring_file_index_range; 0',
    purpose: 'set the slots that IORING_FILE_INDEX_ALLOC picks from',
    wrappers: ['io_uring_register_file_alloc_range'],
  },
  {
    code: IORING_REGISTER_PBUF_STATUS,
    name: 'IORING_REGISTER_PBUF_STATUS',
    methods: ['registerBufRing'],
    since: '6.8',
    argument: 'io_uring_buf_status; 1',
    purpose: 'ask how far the kernel is in a ring of provided buffers',
    wrappers: ['io_uring_buf_ring_head', 'io_uring_buf_ring_available'],
  },
  {
    code: IORING_REGISTER_NAPI,
    name: 'IORING_REGISTER_NAPI',
    methods: ['registerNapi'],
    since: '6.9',
    argument: 'io_uring_napi; 1',
    purpose: 'poll the network card while waiting; the old settings come back',
    wrappers: ['io_uring_register_napi'],
  },
  {
    code: IORING_UNREGISTER_NAPI,
    name: 'IORING_UNREGISTER_NAPI',
    methods: ['unregisterNapi'],
    since: '6.9',
    argument: 'io_uring_napi; 1',
    purpose: 'end that polling',
    wrappers: ['io_uring_unregister_napi'],
  },
  {
    code: IORING_REGISTER_CLOCK,
    name: 'IORING_REGISTER_CLOCK',
    methods: ['registerClock'],
    since: '6.12',
    argument: 'io_uring_clock_register; 0',
    purpose: 'choose the clock of waits: CLOCK_MONOTONIC or CLOCK_BOOTTIME',
    wrappers: ['io_uring_register_clock'],
  },
  {
    code: IORING_REGISTER_CLONE_BUFFERS,
    name: 'IORING_REGISTER_CLONE_BUFFERS',
    methods: ['cloneBuffers'],
    since: '6.12',
    variants: { ranges: '6.13', replace: '6.13' },
    argument: 'io_uring_clone_buffers; 1',
    purpose: "share another ring's registered buffers",
    wrappers: [
      'io_uring_clone_buffers',
      'io_uring_clone_buffers_offset',
      '__io_uring_clone_buffers',
      '__io_uring_clone_buffers_offset',
    ],
  },
  {
    code: IORING_REGISTER_SEND_MSG_RING,
    name: 'IORING_REGISTER_SEND_MSG_RING',
    methods: ['registerSyncMsg'],
    since: '6.13',
    argument: 'io_uring_sqe of a MSG_RING; 1; descriptor -1',
    purpose: 'post a completion to a ring without having one',
    wrappers: ['io_uring_register_sync_msg'],
  },
  {
    code: IORING_REGISTER_ZCRX_IFQ,
    name: 'IORING_REGISTER_ZCRX_IFQ',
    methods: ['registerIfq'],
    since: '6.15',
    argument: 'io_uring_zcrx_ifq_reg; 1',
    purpose: 'bind a receive queue of a network card, for RECV_ZC; needs CAP_NET_ADMIN',
    wrappers: ['io_uring_register_ifq'],
  },
  {
    code: IORING_REGISTER_RESIZE_RINGS,
    name: 'IORING_REGISTER_RESIZE_RINGS',
    methods: ['resizeRings'],
    since: '6.13',
    argument: 'io_uring_params; 1',
    purpose: 'make the queues of a DEFER_TASKRUN ring larger or smaller',
    wrappers: ['io_uring_resize_rings'],
  },
  {
    code: IORING_REGISTER_MEM_REGION,
    name: 'IORING_REGISTER_MEM_REGION',
    methods: ['registerWaitRegion'],
    since: '6.13',
    argument: 'io_uring_mem_region_reg; 1',
    purpose: 'give the ring a region of memory, for wait arguments',
    wrappers: ['io_uring_register_region'],
  },
  {
    code: IORING_REGISTER_QUERY,
    name: 'IORING_REGISTER_QUERY',
    methods: ['queryKernel'],
    since: '6.18',
    argument: 'chain of io_uring_query_hdr; 0; descriptor -1 will do',
    purpose: 'ask which operations, flags and features there are, without a ring',
    wrappers: ['io_uring_register_query'],
  },
  {
    code: IORING_REGISTER_ZCRX_CTRL,
    name: 'IORING_REGISTER_ZCRX_CTRL',
    methods: ['registerZcrxCtrl'],
    since: '6.19',
    argument: 'zcrx_ctrl; 0',
    purpose: 'flush a zero-copy receive instance, or export it',
    wrappers: ['io_uring_register_zcrx_ctrl'],
  },
  {
    code: IORING_REGISTER_BPF_FILTER,
    name: 'IORING_REGISTER_BPF_FILTER',
    methods: ['registerBpfFilter'],
    since: '7.0',
    argument: 'io_uring_bpf; 1; descriptor -1 for the task',
    purpose: 'filter requests by a classic-BPF program for each operation',
    wrappers: ['io_uring_register_bpf_filter', 'io_uring_register_bpf_filter_task'],
  },
];
