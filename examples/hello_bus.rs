//! The bus in one page: topics, a callback, a pulled subscription, a forward, a real-time
//! publisher, and the final message.
//!
//!     cargo run --example hello_bus
//!
//! You will see the house hear of the kitchen and of itself, each message with the topic that it
//! was first published to; then what waited for the one who pulls; then how both end.

use stasis_bus::{Bus, Delivery, Settings, SubscriptionChange};

#[derive(Clone, Copy)]
struct Celsius(f32);

struct Note(String);

fn print(who: &str, delivery: &Delivery) {
    let Delivery::Message(message) = delivery else { return println!("{who}: {delivery:?}") };
    let topic = message.topic().name();
    if let Some(Celsius(degrees)) = message.downcast_ref() {
        println!("{who}: {degrees} °C in the {topic}");
    } else if let Some(Note(text)) = message.downcast_ref() {
        println!("{who}: \"{text}\" in the {topic}");
    } else if let Some(change) = message.downcast_ref::<SubscriptionChange>() {
        println!("{who}: {change:?}");
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bus = Bus::new(Settings::default())?;
    let (kitchen, house) = (bus.topic("kitchen"), bus.topic("house"));
    // What is published in the kitchen reaches the house's subscribers too, while this lives.
    let _forward = kitchen.forward_to(&house)?;

    // Called by the bus's pool, in order and never twice at a time.
    let listener = house.subscribe().callback(|delivery| print("house", &delivery))?;
    // Read when its owner likes. Types that it does not accept cost it nothing.
    let mut thermometer = kitchen.subscribe().accept::<Celsius>().capacity(64).pull()?;

    kitchen.publish(Note("the kettle is on".into()));
    house.publish(Note("the door is open".into()));
    // For a thread that may not allocate, lock or wait: messages come from a pool made here.
    let mut publisher = bus.rt_publisher(64);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for degrees in [20.5, 21.0, 21.5] {
                publisher.publish(&kitchen, bus.now(), Celsius(degrees));
            }
            publisher.ring_bell();
        });
    });

    listener.join()?; // its final message has been delivered
    thermometer.unsubscribe();
    thermometer.iter().for_each(|delivery| print("thermometer", &delivery));
    Ok(())
}
