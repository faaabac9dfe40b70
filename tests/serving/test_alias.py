"""An alias that moves, in a real registry."""

import threading

import pytest

from hawk_pipelines.serving.alias import AliasMoved, RegistryError, give, holder, moves, roll_back


@pytest.fixture
def three(registry, new_version):
    """Three versions that were `production` one after the other; a fourth one is `challenger`."""
    for version in "123":
        assert new_version() == version
        before = holder(registry, "hawk", "production")
        give(registry, "hawk", "production", version, "gate", f"Version {version} passed.", before)
    give(registry, "hawk", "challenger", new_version(), "gate", "It did not pass.", None)
    return registry


def test_every_move_is_kept(three):
    kept = moves(three, "hawk", "production")
    assert [(move.version, move.before, move.how, move.reason) for move in kept] == [
        ("1", None, "gate", "Version 1 passed."),
        ("2", "1", "gate", "Version 2 passed."),
        ("3", "2", "gate", "Version 3 passed."),
    ]
    assert all(move.time.endswith("+00:00") for move in kept)
    assert holder(three, "hawk", "production") == "3"
    assert [move.version for move in moves(three, "hawk", "challenger")] == ["4"]
    assert holder(three, "hawk", "nobody") is holder(three, "nothing", "production") is None


def test_going_back_goes_further_back_each_time(three):
    assert roll_back(three, "hawk", "production").version == "2"
    again = roll_back(three, "hawk", "production", reason="That one fails, too.")
    assert (again.version, again.before, again.how, again.reason) == ("1", "2", "rollback", "That one fails, too.")
    assert holder(three, "hawk", "production") == "1"
    with pytest.raises(RegistryError, match=r"No version of `hawk` was `production` before version 1, .* \(version 1, 2, 3, 4\)"):
        roll_back(three, "hawk", "production")
    assert [move.version for move in moves(three, "hawk", "production")] == ["1", "2", "3", "2", "1"]


def test_what_was_rolled_back_is_not_gone_back_to(three, new_version):
    roll_back(three, "hawk", "production")
    give(three, "hawk", "production", new_version(), "gate", "Better.", "2")
    assert [roll_back(three, "hawk", "production").version for _ in range(2)] == ["2", "1"]


def test_a_version_that_had_it_gets_it_without_a_reason_and_one_that_never_had_it_does_not(three):
    roll_back(three, "hawk", "production", "1")
    assert roll_back(three, "hawk", "production", "3").how == "rollback"  # taken back
    with pytest.raises(RegistryError, match=r"Version 4 of `hawk` never was `production`.*--reason"):
        roll_back(three, "hawk", "production", "4", " ")
    assert holder(three, "hawk", "production") == "3"
    move = roll_back(three, "hawk", "production", "4", "It was tried on our own cameras.")
    assert (move.how, move.before, move.reason) == ("forced", "3", "It was tried on our own cameras.")
    assert holder(three, "hawk", "challenger") is None  # it is none any more
    assert roll_back(three, "hawk", "production").version == "3"


def test_moves_that_somebody_made_elsewhere_are_taken_into_account(three):
    three.set_registered_model_alias("hawk", "production", "4")
    assert roll_back(three, "hawk", "production").version == "3"
    three.delete_registered_model_alias("hawk", "production")
    assert roll_back(three, "hawk", "production").version == "3"
    three.set_registered_model_alias("hawk", "production", "1")
    with pytest.raises(RegistryError, match="before version 1"):
        roll_back(three, "hawk", "production")


def test_who_compared_with_another_version_than_the_present_one_moves_nothing(three):
    """Two candidates were compared with version 3 at the same time; the first has taken the alias."""
    roll_back(three, "hawk", "production")
    with pytest.raises(AliasMoved, match="By now version 2 of `hawk` is `production`, and not version 3"):
        give(three, "hawk", "production", "4", "gate", "It is as good as version 3.", "3")
    with pytest.raises(AliasMoved, match="By now version 2 of `hawk` is `production`, and not no version"):
        give(three, "hawk", "production", "4", "gate", "It beats the constant answer.", None)
    assert holder(three, "hawk", "production") == "2"
    assert [move.version for move in moves(three, "hawk", "production")] == ["1", "2", "3", "2"]


def test_two_moves_at_once_leave_a_record_each(three, monkeypatch):
    """As far as both of them knew, version 3 was it."""
    both = [threading.Thread(target=give, args=(three, "hawk", "production", n, "forced", f"By {n}.", "3")) for n in "12"]
    gate, move = threading.Barrier(2), three.set_registered_model_tag
    monkeypatch.setattr(three, "set_registered_model_tag", lambda *told: (gate.wait(20), move(*told)))
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert {kept.reason for kept in moves(three, "hawk", "production")[3:]} == {"By 1.", "By 2."}


def test_who_dies_in_the_middle_of_a_move_leaves_its_record_and_no_other_order(three, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(three, "set_registered_model_alias", killed)
        with pytest.raises(KeyboardInterrupt):
            give(three, "hawk", "production", "4", "forced", "On purpose.", "3")
    assert holder(three, "hawk", "production") == "3"
    assert moves(three, "hawk", "production")[-1].reason == "On purpose."
    assert roll_back(three, "hawk", "production").version == "2"


def test_versions_that_are_gone_are_passed_over(three, caplog):
    three.delete_model_version("hawk", "2")
    three.delete_model_version("hawk", "3")  # with it the registry drops the alias
    assert roll_back(three, "hawk", "production").version == "1"
    assert "Version 3 of `hawk` is not in the registry, and is passed over." in caplog.text
    three.delete_model_version("hawk", "1")
    with pytest.raises(RegistryError, match="that is still there, so there is nothing to go back to"):
        roll_back(three, "hawk", "production")


def test_what_cannot_be_done_is_said_and_changes_nothing(three, tmp_path):
    with pytest.raises(RegistryError, match="Nothing is registered as `hawks`; there is `hawk`"):
        roll_back(three, "hawks", "production")
    with pytest.raises(RegistryError, match="No version of `hawk` is `staging`, so there is nothing to go back to"):
        roll_back(three, "hawk", "staging")
    with pytest.raises(RegistryError, match="Version 3 of `hawk` is `production` already"):
        roll_back(three, "hawk", "production", "3")
    with pytest.raises(RegistryError, match=r"Version 9 of `hawk` is not in the registry; name another .*2, 1 had it, too"):
        roll_back(three, "hawk", "production", "9", "Why not.")
    three.delete_model_version("hawk", "2")
    with pytest.raises(RegistryError, match=r"Version 2 of `hawk` is not in the registry; .*1 had it, too"):
        roll_back(three, "hawk", "production", "2")
    for weights in (tmp_path / "artifacts").rglob("*.safetensors"):
        weights.unlink()
    with pytest.raises(RegistryError, match="Version 1 of `hawk` is in the registry, but its files are not where they were"):
        roll_back(three, "hawk", "production", "1")
    assert holder(three, "hawk", "production") == "3"
    assert len(moves(three, "hawk", "production")) == 3
