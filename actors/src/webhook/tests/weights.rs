//! Large bodies: of a slow target, and beside small ones.

use super::*;

const MIB: usize = 1 << 20;

/// A mail for one target whose webhook has so many bytes.
async fn weighty(scene: &Scene, email_id: &str, target: &str, bytes: usize) {
    scene.mail(email_id, &[target], None).await;
    let body = Body {
        key: outbox_rows::delivery_body_key(email_id, target),
        bytes: Bytes::from(vec![b' '; bytes]),
        keep_until: scene.world.now() + chrono::TimeDelta::days(7),
    };
    scene
        .journal
        .append(Commit { at: scene.world.now(), bodies: vec![body], ..Commit::default() })
        .await
        .unwrap();
}

#[test]
fn a_slow_target_holds_few_large_bodies_and_stops_nobody() {
    play(|scene| async move {
        scene.set(|policy| policy.sending_enabled = false).await;
        scene.receivers.always("slow.example", Does::AnswersAfter(200, 8_000));
        for n in 0..8 {
            weighty(&scene, &format!("slow{n}"), "slow", 6 * MIB).await;
        }
        weighty(&scene, "large", "default", 6 * MIB).await;
        weighty(&scene, "small", "slow", 10).await;
        scene.set(|policy| policy.sending_enabled = true).await;
        wait(7).await;
        let mut posted = scene.receivers.ids();
        posted.sort_unstable();
        // Of the slow one as many as make up its share, with the last claim, and what is small.
        let slow = ["msg_slow0_slow", "msg_slow1_slow", "msg_slow2_slow", "msg_slow3_slow", "msg_small_slow"];
        assert_eq!(
            (posted.remove(0).as_str(), posted),
            ("msg_large_default", slow.map(str::to_owned).to_vec())
        );
        wait(8 * 3 + 8).await;
        assert_eq!((scene.receivers.count(), scene.left().await), (10, 0), "each once");
    });
}
