//! What a bus holds is given back, in whatever order its parts end.

mod common {
    mod ends;
    pub use ends::ends;
}

use std::sync::{Arc, mpsc};
use std::thread;

use common::ends;
use stasis_bus::{Bus, Overflow, Settings};

/// Says when it is dropped, and waits there until it may go on.
struct Stops(mpsc::Sender<()>, Arc<std::sync::Mutex<mpsc::Receiver<()>>>);

impl Drop for Stops {
    fn drop(&mut self) {
        let _ = self.0.send(());
        let _ = self.1.lock().unwrap().recv();
    }
}

#[test]
fn a_publish_that_outlives_its_bus_leaves_nothing_behind() {
    ends(|| {
        let bus = Bus::new(Settings::default()).unwrap();
        let (topic, to) = (bus.topic("t"), bus.topic("to"));
        let forward = topic.forward_to(&to).unwrap();
        let evicts = topic.subscribe().accept::<Stops>().capacity(2);
        let evicts = evicts.overflow(Overflow::DropOldest).pull().unwrap();
        let keeps = topic.subscribe().accept::<Arc<()>>();
        let keeps = keeps.overflow(Overflow::Spill { limit: 8 }).pull().unwrap();
        let kept = Arc::new(());
        topic.publish(kept.clone());

        let (arrive, arrived) = mpsc::channel();
        let (go, may_go) = mpsc::channel();
        let may_go = Arc::new(std::sync::Mutex::new(may_go));
        let publisher = thread::spawn(move || {
            (0..3).for_each(|_| _ = topic.publish(Stops(arrive.clone(), may_go.clone())));
        });
        arrived.recv().unwrap(); // it evicts the first, in the midst of its third publish
        drop((bus, keeps, forward, to));
        drop(go);
        drop(evicts);
        publisher.join().unwrap();
        assert_eq!(Arc::strong_count(&kept), 1, "what nobody has received is gone");
    });
}
