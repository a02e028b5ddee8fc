import { existsSync, readFileSync } from 'node:fs';

/** A kind of container or sandbox that is known to stand in the way of io_uring. */
export interface Container {
  readonly name: string;
  /** The thing that forbids io_uring there, as it is set up by default. */
  readonly cause: string;
  /** The change to make, in one sentence. */
  readonly remedy: string;
  /** It has a seccomp filter, and says no by that alone. */
  readonly isFilter: boolean;
}

/** The signs that tell one kind from the others. */
export interface Signs {
  readonly env: Readonly<Record<string, string | undefined>>;
  exists(path: string): boolean;
  /** The text of a file; undefined if it cannot be read. */
  read(path: string): string | undefined;
}

const HERE: Signs = {
  env: process.env,
  exists: existsSync,
  read(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  },
};

const PROFILE = 'docs/compatibility.md of this package has the profile';

const LAMBDA: Container = {
  name: 'AWS Lambda',
  cause: 'AWS Lambda forbids it',
  remedy: 'run on a machine of your own, such as EC2: Lambda has no setting for it',
  isFilter: false,
};
const GVISOR: Container = {
  name: 'gVisor',
  cause: 'gVisor stands in for the kernel, and has no io_uring that is of use',
  remedy: 'run this container by runc in place of runsc: without runtimeClassName in Kubernetes, ' +
    'with --runtime=runc in Docker',
  isFilter: false,
};
const KUBERNETES: Container = {
  name: 'Kubernetes',
  cause: "a seccomp filter forbids it, likely Kubernetes' RuntimeDefault",
  remedy: 'put a profile that allows io_uring on the node, and set securityContext.seccompProfile to type Localhost ' +
    `with its name: ${PROFILE} (to try: type Unconfined)`,
  isFilter: true,
};
const PODMAN: Container = {
  name: 'Podman',
  cause: "a seccomp filter forbids it, likely Podman's default profile",
  remedy: 'podman run --security-opt seccomp=iouring.json, with a profile that allows io_uring: ' +
    `${PROFILE} (to try: seccomp=unconfined)`,
  isFilter: true,
};
const DOCKER: Container = {
  name: 'Docker',
  cause: "a seccomp filter forbids it, likely Docker's default profile",
  remedy: 'docker run --security-opt seccomp=iouring.json, with a profile that allows io_uring: ' +
    `${PROFILE} (to try: seccomp=unconfined)`,
  isFilter: true,
};

/** gVisor's kernel says that it is this one, if it does not give its name. */
const GVISOR_VERSION = /gvisor|Linux version 4\.4\.0 .*Sun Jan 10 15:06:54 PST 2016/i;

/** The container or sandbox that this process is likely in: the innermost comes first. */
export function likelyContainer({ env, exists, read }: Signs = HERE): Container | undefined {
  if (env['AWS_LAMBDA_FUNCTION_NAME'] !== undefined) return LAMBDA;
  if (GVISOR_VERSION.test(read('/proc/version') ?? '')) return GVISOR;
  if (env['KUBERNETES_SERVICE_HOST'] !== undefined || exists('/var/run/secrets/kubernetes.io')) return KUBERNETES;
  if (env['container'] === 'podman' || exists('/run/.containerenv')) return PODMAN;
  if (exists('/.dockerenv') || /[/:]docker[/-]/.test(read('/proc/1/cgroup') ?? '')) return DOCKER;
  return undefined;
}
