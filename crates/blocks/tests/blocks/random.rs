//! Random sequences of items, whole, streamed and aborted, read back as they were written.

use blocks::ItemKind;
use proptest::prelude::*;

use crate::fixture::{Setup, append, noise, stream};

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Stream { size: usize, chunk: usize },
    Abort { size: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![
        4 => 1_usize..2_000,
        3 => 32_000_usize..34_000,
        2 => 1_usize..200_000,
        1 => 1_000_000_usize..2_200_000,
    ];
    prop_oneof![
        size.clone().prop_map(Step::Append),
        (size.clone(), 1_000_usize..90_000).prop_map(|(size, chunk)| Step::Stream { size, chunk }),
        size.prop_map(|size| Step::Abort { size }),
    ]
}

async fn run(steps: &[Step]) {
    let setup = Setup::memory();
    let (mut segment, mut plain) = (setup.open(1).await, setup.open(2).await);
    let mut items = Vec::new();
    for (seed, step) in steps.iter().enumerate() {
        let noise = |size| noise(seed as u64, size);
        let item = match *step {
            Step::Append(size) => append(&mut segment, ItemKind::Object, noise(size)).await,
            Step::Stream { size, chunk } => stream(&mut segment, noise(size), chunk).await,
            Step::Abort { size } => {
                segment.begin(ItemKind::Run).expect("no item is open");
                segment.write(&noise(size)).await.expect("room for bytes");
                segment.abort().expect("an open item");
                continue;
            }
        };
        append(&mut plain, ItemKind::Object, item.bytes.clone()).await;
        items.push(item);
    }
    let (record, plain) = (setup.seal(segment).await, setup.seal(plain).await);
    assert_eq!((record.length, record.directory), (plain.length, plain.directory));
    setup.assert_sound(&record).await;
    setup.assert_items(&items).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_written_is_read(steps in prop::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(run(&steps));
    }
}
