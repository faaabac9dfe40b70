"""The other rendered world, in which a single frame shows what is unusual."""

import pytest

from tests.test_motion_world import sees


@pytest.mark.slow
def test_what_a_frame_shows_is_learned_in_fewer_steps(tmp_path):
    """Asked single questions: what a conversation takes is shown in the other world."""
    slots, *_ = sees(tmp_path, "ingest.synthetic.world=appearance,finetune.steps=600,finetune.conversations.share=0")
    assert slots["normal"]["accuracy"] >= 0.85
    assert slots["actor"]["accuracy"] >= 0.30  # 0.08 without seeing
