//! Sealing and opening of frames in place, by payload size and provider. Buffers are made outside of the measured time: what a
//! frame costs here is cipher and nonce, not allocation. Throughput counts the bytes of whole frames.
#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

use core::hint::black_box;
use core::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mpchat_proto::crypto::{PROVIDERS, provider};
use mpchat_proto::frame::{FrameType, Header, MAC_LEN, MAX_PAYLOAD};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::keys::{DirectionKeys, FrameCipher};

const SIZES: [usize; 7] = [0, 64, 256, 1024, 4096, 16384, MAX_PAYLOAD];

fn frames(criterion: &mut Criterion) {
    for name in PROVIDERS {
        let keys = DirectionKeys::new([7; 32], [9; 12]);
        let cipher = FrameCipher::new(provider(name).expect("a name from the list"), &keys);
        let mut group = criterion.benchmark_group(format!("frame/{name}"));
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(30);
        for size in SIZES {
            let header = Header::for_payload(FrameType::MsgReq, 3, Sid(1), Uid(0xa11ce), size, false);
            let mut plain = header.encode().to_vec();
            plain.resize(plain.len() + size + MAC_LEN, b'x');
            let sealed = {
                let mut frame = plain.clone();
                cipher.seal_in_place(&mut frame, false);
                frame
            };
            group.throughput(Throughput::Bytes(plain.len() as u64));
            // Sealing overwrites the payload with something just as good to seal.
            group.bench_function(BenchmarkId::new("seal", size), |bencher| {
                bencher.iter(|| cipher.seal_in_place(black_box(&mut plain), false));
            });
            // An opened frame cannot be opened again: each turn has its own, copied outside of the measured time.
            let batch = if size > 4096 { BatchSize::LargeInput } else { BatchSize::SmallInput };
            group.bench_function(BenchmarkId::new("open", size), |bencher| {
                bencher.iter_batched_ref(
                    || sealed.clone(),
                    |frame| cipher.open_in_place(black_box(frame), false).expect("a good frame").len(),
                    batch,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, frames);
criterion_main!(benches);
