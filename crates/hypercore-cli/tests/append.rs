//! `append`: how files, lines and chunks become blocks, and what is printed.

mod common;

use common::{SEED, Shell};

/// Bytes in the largest block.
const LIMIT: usize = 15 * 1024 * 1024;

/// Appends `input` from stdin with `options`; the blocks must have these lengths and the same bytes,
/// newlines aside.
#[track_caller]
fn check(options: &[&str], input: &[u8], lens: &[usize]) {
    let shell = Shell::new();
    let mut args = vec!["append", "log", "--json"];
    args.extend(options);
    let result = shell.run_with(&args, input).ok().json();
    assert_eq!(result["appended"], lens.len());
    assert_eq!(result["length"], lens.len());
    assert_eq!(result["bytes"], lens.iter().sum::<usize>());
    let listed = shell.run(&["ls", "log", "--json"]).ok().lines();
    let found: Vec<_> = listed.iter().map(|block| block["bytes"].as_u64().unwrap()).collect();
    let wanted: Vec<_> = lens.iter().map(|len| *len as u64).collect();
    assert_eq!(found, wanted);
    let content = shell.run(&["cat", "log"]).ok().stdout;
    if options.contains(&"--lines") {
        let without: Vec<u8> = input.iter().copied().filter(|byte| *byte != b'\n').collect();
        assert!(content == without);
    } else {
        assert!(content == input);
    }
}

#[test]
fn a_whole_input_is_one_block() {
    check(&[], b"hello\nworld\n", &[12]);
}

#[test]
fn an_empty_input_is_one_empty_block() {
    check(&[], b"", &[0]);
}

#[test]
fn a_long_input_is_cut_at_the_limit() {
    let input: Vec<u8> = (0..2 * LIMIT + 3).map(|byte| (byte % 251) as u8).collect();
    check(&[], &input, &[LIMIT, LIMIT, 3]);
    check(&[], &input[..LIMIT], &[LIMIT]);
}

#[test]
fn a_block_a_line() {
    check(&["--lines"], b"a\nbc\n\ndef", &[1, 2, 0, 3]);
    check(&["--lines"], b"a\r\nb\r\n", &[2, 2]);
    check(&["--lines"], b"\n", &[0]);
    check(&["--lines"], b"", &[]);
}

#[test]
fn many_lines_over_many_batches() {
    let input: String = (0..40_000).map(|line| format!("line {line}\n")).collect();
    let lens: Vec<usize> = input.lines().map(str::len).collect();
    check(&["--lines"], input.as_bytes(), &lens);
}

#[test]
fn a_line_as_long_as_the_limit_fits() {
    let mut input = vec![b'x'; LIMIT];
    input.extend_from_slice(b"\ny");
    check(&["--lines"], &input, &[LIMIT, 1]);
}

#[test]
fn a_longer_line_is_refused_with_its_batch() {
    let shell = Shell::new();
    shell.log("log", "before");
    let mut input = vec![b'x'; LIMIT + 1];
    let ran = shell.run_with(&["append", "log", "--lines", "--json"], &input).exits(1);
    assert!(ran.failure()["message"].as_str().unwrap().contains("line 1 of stdin"));
    assert_eq!(shell.info("log")["length"], 1);
    input.splice(0..0, *b"a\nb\n");
    shell.write("long", &input);
    let ran = shell.run(&["append", "log", "--lines", "long"]).exits(1);
    assert!(ran.stderr.contains("line 3 of long"), "{}", ran.stderr);
    assert!(ran.stderr.contains("0 blocks were appended before"), "{}", ran.stderr);
    assert_eq!(shell.info("log")["length"], 1);
    // Batches before it stay: this one is 4 MiB away.
    let mut far = format!("{:63}\n", "").repeat(64 * 1024).into_bytes();
    far.extend_from_slice(&input);
    shell.write("far", &far);
    let ran = shell.run(&["append", "log", "--lines", "far"]).exits(1);
    assert!(ran.stderr.contains("line 65539 of far"), "{}", ran.stderr);
    let length = shell.info("log")["length"].as_u64().unwrap();
    assert!(length > 1 && length < 65_539, "{length}");
    let told = format!("{} blocks were appended before", length - 1);
    assert!(ran.stderr.contains(&told), "{}", ran.stderr);
}

#[test]
fn chunks() {
    check(&["--chunk", "4"], b"0123456789", &[4, 4, 2]);
    check(&["--chunk", "5"], b"0123456789", &[5, 5]);
    check(&["--chunk", "1k"], b"0123456789", &[10]);
    check(&["--chunk", "1MiB"], b"", &[]);
    let long = vec![7; 9 * 1024 * 1024 + 1];
    let mib = 1024 * 1024;
    check(&["--chunk", "1MiB"], &long, &[mib, mib, mib, mib, mib, mib, mib, mib, mib, 1]);
    check(&["--chunk", "15MiB"], &long, &[long.len()]);
}

#[test]
fn a_chunk_above_the_limit_is_refused_before_anything_is_made() {
    let shell = Shell::new();
    for size in ["15728641", "16MiB", "1G"] {
        shell.run_with(&["append", "log", "--chunk", size], b"x").exits(2);
    }
    for size in ["0", "x", "-1", "1.5k"] {
        shell.run_with(&["append", "log", &format!("--chunk={size}")], b"x").exits(2);
    }
    assert!(!shell.path("log").exists());
}

#[test]
fn files_in_their_order_and_stdin_between() {
    let shell = Shell::new();
    shell.write("a", b"first");
    shell.write("b", b"third");
    shell.write("empty", b"");
    let ran = shell.run_with(&["append", "log", "a", "-", "b", "empty", "--json"], b"second").ok();
    assert_eq!(ran.json()["appended"], 4);
    assert_eq!(shell.run(&["cat", "log"]).ok().text(), "firstsecondthird");
    assert_eq!(shell.run(&["get", "log", "1"]).ok().text(), "second");
}

#[test]
fn a_missing_file_is_told_before_anything_is_made() {
    let shell = Shell::new();
    shell.write("a", b"first");
    let ran = shell.run(&["append", "log", "a", "none"]).exits(1);
    assert_eq!(ran.stderr, "hypercore: none could not be read: no such file or directory\n");
    shell.run(&["append", "log", "."]).exits(1);
    assert!(!shell.path("log").exists());
}

#[test]
fn the_json_has_the_promised_fields() {
    let shell = Shell::new();
    shell.run(&["new", "log", "--seed", SEED]).ok();
    let result = shell.run_with(&["append", "log", "--json", "--lines"], b"a\nbc\n").ok().json();
    let info = shell.info("log");
    for field in ["length", "byte_length", "tree_hash", "key"] {
        assert_eq!(result[field], info[field], "{field}");
    }
    assert_eq!(result["appended"], 2);
    assert_eq!(result["bytes"], 3);
}

#[test]
fn nested_directories_are_made() {
    let shell = Shell::new();
    shell.run_with(&["append", "a/b/c", "--lines"], b"x\n").ok();
    assert_eq!(shell.info("a/b/c")["length"], 1);
    std::fs::create_dir(shell.path("empty")).unwrap();
    shell.run_with(&["append", "empty", "--lines"], b"x\n").ok();
}

#[test]
fn a_directory_of_other_files_is_refused_and_left_alone() {
    let shell = Shell::new();
    for name in ["notes.txt", "tree", "data"] {
        let dir = format!("with-{name}");
        std::fs::create_dir(shell.path(&dir)).unwrap();
        shell.write(&format!("{dir}/{name}"), b"mine");
        let before = shell.snapshot(&dir);
        for command in ["append", "new"] {
            let ran = shell.run_with(&[command, &dir], b"x").exits(3);
            assert!(ran.stderr.contains("choose a missing or empty directory"), "{}", ran.stderr);
        }
        assert_eq!(shell.snapshot(&dir), before);
    }
}

#[test]
fn a_file_in_place_of_the_directory_is_refused() {
    let shell = Shell::new();
    shell.write("file", b"mine");
    for args in [["append", "file"], ["new", "file"], ["info", "file"], ["verify", "file"]] {
        let ran = shell.run_with(&args, b"x");
        assert!(ran.code == 1 || ran.code == 3, "{ran:?}");
    }
    assert_eq!(std::fs::read(shell.path("file")).unwrap(), b"mine");
}

#[test]
fn durability_is_a_choice() {
    let shell = Shell::new();
    for when in ["immediate", "eventual"] {
        shell.run_with(&["append", "log", "--lines", "--durability", when], b"a\nb\n").ok();
    }
    assert_eq!(shell.info("log")["length"], 4);
    shell.run_with(&["append", "log", "--durability", "never"], b"a").exits(2);
}

/// Lines of a pipe are appended as they come, not when the pipe ends.
#[test]
fn a_slow_pipe_is_appended_as_it_comes() {
    use std::io::Write as _;
    let shell = Shell::new();
    let mut child = shell.spawn(&["append", "log", "--lines"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"one\ntwo\nthr").unwrap();
    let data = shell.path("log/data");
    let begun = std::time::Instant::now();
    while std::fs::read(&data).unwrap_or_default() != b"onetwo" {
        assert!(begun.elapsed().as_secs() < 20, "nothing was appended");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    stdin.write_all(b"ee\n").unwrap();
    drop(stdin);
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(shell.run(&["get", "log", "2"]).ok().text(), "three");
}

/// More blocks than bytes of memory for each: they are cut and appended some thousand at a time.
#[test]
fn very_many_tiny_blocks() {
    let shell = Shell::new();
    shell.write("newlines", &vec![b'\n'; 300_000]);
    let ran = shell.run(&["append", "log", "--lines", "newlines", "--json"]).ok();
    assert_eq!(ran.json()["length"], 300_000);
    shell.write("bytes", &vec![b'x'; 100_000]);
    let ran = shell.run(&["append", "log", "--chunk", "1", "bytes", "--json"]).ok();
    assert_eq!(ran.json()["length"], 400_000);
}

#[test]
fn a_pipe_that_never_pauses_is_appended_as_it_comes() {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};
    let shell = Shell::new();
    shell.run(&["new", "log"]).ok();
    let empty = shell.snapshot("log");
    let mut child = shell.spawn(&["append", "log", "--lines"]);
    let mut stdin = child.stdin.take().unwrap();
    let done = std::sync::Arc::new(AtomicBool::new(false));
    let stop = std::sync::Arc::clone(&done);
    let writer = std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) && stdin.write_all(b"x\n").is_ok() {
            // Shorter than the pause that ends a batch, and far too slow to fill one.
            let next = Instant::now() + Duration::from_micros(300);
            while Instant::now() < next {}
        }
    });
    let began = Instant::now();
    while shell.snapshot("log") == empty && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let is_there = shell.snapshot("log") != empty;
    done.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
    assert!(is_there, "nothing was appended before the pipe was closed");
}
