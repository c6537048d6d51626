"""Slots of each client."""

import threading

from application.access.client_downloads import ClientDownloads


def test_a_client_has_so_many_places_and_gets_them_back() -> None:
    downloads = ClientDownloads(2)
    assert [downloads.take("a") for _ in range(3)] == [True, True, False]
    assert downloads.take("b")
    downloads.give_back("a")
    assert [downloads.take("a") for _ in range(2)] == [True, False]


def test_clients_that_are_gone_leave_nothing_behind() -> None:
    downloads = ClientDownloads(3)

    def come_and_go(number: int) -> None:
        for index in range(200):
            name = f"{(number + index) % 5}"
            if downloads.take(name):
                downloads.give_back(name)

    threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(downloads.take("0") for _ in range(3))
    for _ in range(3):
        downloads.give_back("0")
    assert not downloads.taken
