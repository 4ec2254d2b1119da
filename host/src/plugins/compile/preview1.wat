;; WASI preview 1 for modules whose runtime takes all memory beyond its own for itself, as that of Go does. The common adapter keeps its state
;; in a page that it asks for, which Go then uses as well. This one keeps none in memory: what a call needs for a moment lies where the
;; caller wants the result, and what was there comes back afterwards.
;;
;; There are clocks, random numbers and output. Whatever asks for files, arguments or the environment finds none.
(module
  (import "env" "memory" (memory 0))
  (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $monotonic (result i64)))
  (import "wasi:clocks/wall-clock@0.2.0" "now" (func $wall (param i32)))
  (import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $get_stdout (result i32)))
  (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $get_stderr (result i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))

  ;; The streams, once they are asked for.
  (global $stdout (mut i32) (i32.const -1))
  (global $stderr (mut i32) (i32.const -1))

  (func (export "sched_yield") (result i32) (i32.const 0))
  (func (export "proc_exit") (param i32) unreachable)
  (func (export "proc_raise") (param i32) (result i32) (i32.const 52)) ;; nosys

  (func $nothing_of (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (export "args_sizes_get" (func $nothing_of))
  (export "environ_sizes_get" (func $nothing_of))
  (func $no_list (param i32 i32) (result i32) (i32.const 0))
  (export "args_get" (func $no_list))
  (export "environ_get" (func $no_list))

  (func (export "clock_time_get") (param $clock i32) (param i64) (param $time i32) (result i32)
    (local $behind i64)
    (if (i32.gt_u (local.get $clock) (i32.const 1)) (then (return (i32.const 28)))) ;; inval
    (if (local.get $clock)
      (then (i64.store (local.get $time) (call $monotonic)))
      (else
        ;; Seconds of 64 bits, then nanoseconds of 32: 8 bytes more than the result has.
        (local.set $behind (i64.load offset=8 (local.get $time)))
        (call $wall (local.get $time))
        (i64.store (local.get $time) (i64.add
          (i64.mul (i64.load (local.get $time)) (i64.const 1000000000))
          (i64.load32_u offset=8 (local.get $time))))
        (i64.store offset=8 (local.get $time) (local.get $behind))))
    (i32.const 0))
  (func (export "clock_res_get") (param i32 i32) (result i32)
    (i64.store (local.get 1) (i64.const 1000000)) (i32.const 0))

  (func (export "random_get") (param $at i32) (param $left i32) (result i32)
    (local $bits i64)
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $left)))
      (local.set $bits (call $random))
      (if (i32.ge_u (local.get $left) (i32.const 8))
        (then
          (i64.store (local.get $at) (local.get $bits))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (local.set $left (i32.sub (local.get $left) (i32.const 8))))
        (else
          (i64.store8 (local.get $at) (local.get $bits))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))))
      (br $next)))
    (i32.const 0))

  ;; Lists of bytes, one after the other, to standard output or error.
  (func (export "fd_write") (param $fd i32) (param $lists i32) (param $count i32) (param $written i32) (result i32)
    (local $stream i32) (local $at i32) (local $left i32) (local $some i32) (local $total i32)
    (local $first i32) (local $second i32)
    (block $known
      (if (i32.eq (local.get $fd) (i32.const 1))
        (then
          (if (i32.lt_s (global.get $stdout) (i32.const 0)) (then (global.set $stdout (call $get_stdout))))
          (local.set $stream (global.get $stdout))
          (br $known)))
      (if (i32.eq (local.get $fd) (i32.const 2))
        (then
          (if (i32.lt_s (global.get $stderr) (i32.const 0)) (then (global.set $stderr (call $get_stderr))))
          (local.set $stream (global.get $stderr))
          (br $known)))
      (return (i32.const 8))) ;; badf
    ;; What writing gives has 12 bytes, 8 more than the result.
    (local.set $first (i32.load offset=4 (local.get $written)))
    (local.set $second (i32.load offset=8 (local.get $written)))
    (block $done (loop $next_list
      (br_if $done (i32.eqz (local.get $count)))
      (local.set $at (i32.load (local.get $lists)))
      (local.set $left (i32.load offset=4 (local.get $lists)))
      (block $empty (loop $next_part
        (br_if $empty (i32.eqz (local.get $left)))
        ;; The most that one call takes.
        (local.set $some (select (local.get $left) (i32.const 4096) (i32.lt_u (local.get $left) (i32.const 4096))))
        (call $write (local.get $stream) (local.get $at) (local.get $some) (local.get $written))
        (br_if $done (i32.load8_u (local.get $written)))
        (local.set $at (i32.add (local.get $at) (local.get $some)))
        (local.set $left (i32.sub (local.get $left) (local.get $some)))
        (local.set $total (i32.add (local.get $total) (local.get $some)))
        (br $next_part)))
      (local.set $lists (i32.add (local.get $lists) (i32.const 8)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next_list)))
    (i32.store (local.get $written) (local.get $total))
    (i32.store offset=4 (local.get $written) (local.get $first))
    (i32.store offset=8 (local.get $written) (local.get $second))
    (i32.const 0))

  ;; Who waits is told at once that the time is over, looks at the clock and waits again, until the deadline of the call.
  (func (export "poll_oneoff") (param $in i32) (param $out i32) (param $count i32) (param $events i32) (result i32)
    (i32.store (local.get $events) (local.get $count))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $count)))
      (i64.store (local.get $out) (i64.load (local.get $in))) ;; whatever the caller calls it
      (i64.store offset=8 (local.get $out) (i64.const 0))
      (i64.store offset=16 (local.get $out) (i64.const 0))
      (i64.store offset=24 (local.get $out) (i64.const 0))
      (i32.store8 offset=10 (local.get $out) (i32.load8_u offset=8 (local.get $in))) ;; its kind
      ;; Only clocks can be waited for.
      (if (i32.load8_u offset=8 (local.get $in)) (then (i32.store16 offset=8 (local.get $out) (i32.const 58)))) ;; notsup
      (local.set $in (i32.add (local.get $in) (i32.const 48)))
      (local.set $out (i32.add (local.get $out) (i32.const 32)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next)))
    (i32.const 0))

  ;; No such file: badf.
  (func $i (param i32) (result i32) (i32.const 8))
  (func $ii (param i32 i32) (result i32) (i32.const 8))
  (func $iii (param i32 i32 i32) (result i32) (i32.const 8))
  (func $iiii (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func $iiiii (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func $iiiiii (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (export "fd_close" (func $i))
  (export "fd_datasync" (func $i))
  (export "fd_sync" (func $i))
  (export "fd_fdstat_get" (func $ii))
  (export "fd_fdstat_set_flags" (func $ii))
  (export "fd_filestat_get" (func $ii))
  (export "fd_prestat_get" (func $ii))
  (export "fd_renumber" (func $ii))
  (export "fd_tell" (func $ii))
  (export "fd_prestat_dir_name" (func $iii))
  (export "path_create_directory" (func $iii))
  (export "path_remove_directory" (func $iii))
  (export "path_unlink_file" (func $iii))
  (export "fd_read" (func $iiii))
  (export "path_filestat_get" (func $iiiii))
  (export "path_symlink" (func $iiiii))
  (export "path_readlink" (func $iiiiii))
  (export "path_rename" (func $iiiiii))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func $at_offset (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (export "fd_pread" (func $at_offset))
  (export "fd_pwrite" (func $at_offset))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 8))
  (export "sock_shutdown" (func $ii))
  (export "sock_accept" (func $iii))
  (export "sock_send" (func $iiiii))
  (export "sock_recv" (func $iiiiii))
)
