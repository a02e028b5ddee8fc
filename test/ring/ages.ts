/** The knowledge that kernels of several ages have of io_uring. */
import {
  IORING_FEAT_CQE_SKIP,
  IORING_FEAT_CUR_PERSONALITY,
  IORING_FEAT_EXT_ARG,
  IORING_FEAT_FAST_POLL,
  IORING_FEAT_LINKED_FILE,
  IORING_FEAT_NATIVE_WORKERS,
  IORING_FEAT_NODROP,
  IORING_FEAT_POLL_32BITS,
  IORING_FEAT_RSRC_TAGS,
  IORING_FEAT_RW_CUR_POS,
  IORING_FEAT_SINGLE_MMAP,
  IORING_FEAT_SQPOLL_NONFIXED,
  IORING_FEAT_SUBMIT_STABLE,
  IORING_OP_LINKAT,
  IORING_OP_SENDMSG_ZC,
  IORING_OP_SEND_ZC,
  IORING_OP_TEE,
  IORING_OP_URING_CMD,
  IORING_REGISTER_ENABLE_RINGS,
  IORING_REGISTER_FILE_ALLOC_RANGE,
  IORING_REGISTER_IOWQ_MAX_WORKERS,
  IORING_REGISTER_SYNC_CANCEL,
  IORING_SETUP_CQE32,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_R_DISABLED,
  IORING_SETUP_SINGLE_ISSUER,
} from '../../src/abi/index.ts';

export const FEATURES_5_10 = IORING_FEAT_SINGLE_MMAP |
  IORING_FEAT_NODROP |
  IORING_FEAT_SUBMIT_STABLE |
  IORING_FEAT_RW_CUR_POS |
  IORING_FEAT_CUR_PERSONALITY |
  IORING_FEAT_FAST_POLL |
  IORING_FEAT_POLL_32BITS;
export const FEATURES_5_15 = FEATURES_5_10 |
  IORING_FEAT_SQPOLL_NONFIXED |
  IORING_FEAT_EXT_ARG |
  IORING_FEAT_NATIVE_WORKERS |
  IORING_FEAT_RSRC_TAGS;

/** Those of 5.10: IOPOLL, SQPOLL, SQ_AFF, CQSIZE, CLAMP, ATTACH_WQ, R_DISABLED. */
const SETUP_5_10 = IORING_SETUP_R_DISABLED * 2 - 1;
/** And up to CQE32. */
const SETUP_5_19 = IORING_SETUP_CQE32 * 2 - 1;

/** The knowledge of one kernel. */
export interface Age {
  features: number;
  /** IORING_SETUP_* that it does not answer EINVAL to. */
  setupFlags: number;
  lastOperation: number;
  lastRegistration: number;
}

export const LINUX_5_10: Age = {
  features: FEATURES_5_10,
  setupFlags: SETUP_5_10,
  lastOperation: IORING_OP_TEE,
  lastRegistration: IORING_REGISTER_ENABLE_RINGS,
};
export const LINUX_5_15: Age = {
  features: FEATURES_5_15,
  setupFlags: SETUP_5_10,
  lastOperation: IORING_OP_LINKAT,
  lastRegistration: IORING_REGISTER_IOWQ_MAX_WORKERS,
};
/** Debian 12's, as far as operations go. */
export const LINUX_6_1: Age = {
  features: FEATURES_5_15 | IORING_FEAT_CQE_SKIP | IORING_FEAT_LINKED_FILE,
  setupFlags: IORING_SETUP_DEFER_TASKRUN * 2 - 1,
  lastOperation: IORING_OP_SENDMSG_ZC,
  lastRegistration: IORING_REGISTER_FILE_ALLOC_RANGE,
};
/** The last without sends of messages from where they lie. */
export const LINUX_6_0: Age = {
  ...LINUX_6_1,
  setupFlags: IORING_SETUP_SINGLE_ISSUER * 2 - 1,
  lastOperation: IORING_OP_SEND_ZC,
};
export const LINUX_5_19: Age = {
  features: FEATURES_5_15 | IORING_FEAT_CQE_SKIP | IORING_FEAT_LINKED_FILE,
  setupFlags: SETUP_5_19,
  lastOperation: IORING_OP_URING_CMD,
  lastRegistration: IORING_REGISTER_SYNC_CANCEL - 1,
};
