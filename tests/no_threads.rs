//! A pool that cannot grow for want of file descriptors: nothing fails, it is counted, and it grows
//! when there are some again. The limit is the process's, so this test has one of its own.
#![cfg(target_os = "linux")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use stasis_bus::{Bus, Settings};

const LONG: Duration = Duration::from_secs(60);

/// Sets how many file descriptors there may be; gives what it was.
fn limit_files(files: libc::rlim_t) -> libc::rlim_t {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes a `rlimit` to where one is.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }, 0);
    let before = std::mem::replace(&mut limit.rlim_cur, files);
    // SAFETY: it reads a `rlimit`.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    before
}

#[test]
fn a_worker_that_cannot_be_started_is_counted_and_tried_again() {
    let settings = Settings { workers: 1, max_workers: 4, ..Settings::default() };
    let bus = Bus::new(settings.clone()).unwrap();
    let topic = bus.topic("t");
    let (arrive, arrived) = mpsc::channel();
    let (let_go, may_go) = mpsc::channel::<()>();
    let stuck = topic.subscribe().accept::<u8>().callback(move |delivery| {
        if delivery.downcast_ref::<u8>().is_some() {
            arrive.send(()).unwrap();
            let _ = may_go.recv();
        }
    });
    let stuck = stuck.unwrap();
    topic.publish(1u8);
    arrived.recv_timeout(LONG).unwrap();

    let before = limit_files(3); // fewer than are open
    let refused = Bus::new(settings);
    let (send, sent) = mpsc::channel();
    let neighbour = topic.subscribe().accept::<u32>().callback(move |delivery| {
        delivery.downcast_ref::<u32>().into_iter().for_each(|number| send.send(*number).unwrap());
    });
    topic.publish(2u32);
    for _ in 0..LONG.as_millis() {
        if bus.statistics().workers.failed_starts > 0 {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let during = bus.statistics().workers;
    limit_files(before);
    assert!(refused.is_err());
    assert!(during.failed_starts > 0 && during.now == 1, "{during:?}");

    assert_eq!(sent.recv_timeout(LONG), Ok(2), "it was tried again");
    assert!(bus.statistics().to_string().contains("could not be started"));
    neighbour.unwrap().join().unwrap();
    drop(let_go);
    stuck.join().unwrap();
}
