"""The outbox in Django's admin: what waits, is dead or was delivered, and what staff can do about it.

Django finds this module if ``django.contrib.admin`` is installed. The operations are those of the
``tiktok-middleware outbox`` commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import django
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse

from tiktok_middleware.contrib._django_outbox_actions import ACTIONS, MAX_ROWS, Action, Outcome, erase_person, rows_of
from tiktok_middleware.contrib._django_outbox_page import confirmation, listing
from tiktok_middleware.contrib._django_outbox_query import Query, chosen_rows
from tiktok_middleware.contrib._django_person_form import PersonForm
from tiktok_middleware.contrib._django_settings import config_of_settings
from tiktok_middleware.contrib.django.models import OutboxEvent
from tiktok_middleware.delivery.outbox.dead_letters import OutboxRow
from tiktok_middleware.delivery.outbox.location import outbox_url
from tiktok_middleware.delivery.outbox.operator import open_admin
from tiktok_middleware.errors import TikTokError

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.operator import Admin

__all__ = ["OutboxEventAdmin"]

_APP = "tiktok_middleware"
_PAGE = f"{_APP}_outboxevent"
_TEMPLATES = f"admin/{_APP}/outboxevent"
_MAX_LOGGED = 20
_MAX_REPR = 200  # of the log's column
# A `ValueError` is a value that the database cannot read or store.
_FAULTS = (TikTokError, ValueError)
_django: Any = admin


@contextmanager
def _outbox() -> Iterator[Admin]:
    """Yield the operator's access to the outbox of the settings."""
    with closing(open_admin(outbox_url(config_of_settings()))) as opened:
        yield opened


@_django.register(OutboxEvent)
class OutboxEventAdmin(_django.ModelAdmin):  # type: ignore[misc]  # Django has no types
    """Pages of the outbox: the list with its actions, their confirmation, and the erasure of a person."""

    def get_urls(self) -> list[Any]:
        """Return the pages; events are neither added nor changed."""
        own = self.admin_site.admin_view
        return [
            path("", own(self.changelist_view), name=f"{_PAGE}_changelist"),
            path("erase/", own(self.erase_view), name=f"{_PAGE}_erase"),
            path("<path:event_id>/change/", own(self.event_view), name=f"{_PAGE}_change"),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  # Django's name
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """Show the list, or perform an action on selected events."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = Query.read(request.GET)
        if request.method == "POST":
            return self._act(request, query)
        context = {"query": query, "actions": self._actions(request), "can_erase": _may(request, "erase")}
        try:
            with _outbox() as outbox:
                context |= listing(outbox, query)
        except _FAULTS as error:
            context["fault"] = str(error)
        return self._page(request, "change_list.html", {**context, **(extra_context or {})})

    def event_view(self, request: HttpRequest, event_id: str) -> HttpResponseBase:
        """Show an event that an entry of the admin's log links to."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(f"{self._url('changelist')}{Query(q=unquote(event_id)).link()}")

    def erase_view(self, request: HttpRequest) -> HttpResponseBase:
        """Ask for a person, and erase the person's stored events."""
        if not _may(request, "erase"):
            raise PermissionDenied
        form = PersonForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                with _outbox() as outbox:
                    self._perform(request, ACTIONS["erase"], [], partial(erase_person, outbox, form.person))
            except _FAULTS as error:
                messages.error(request, str(error))
            return HttpResponseRedirect(self._url("changelist"))
        return self._page(request, "erase.html", {"form": form, "title": "Erase a person"})

    def _act(self, request: HttpRequest, query: Query) -> HttpResponseBase:
        action = ACTIONS.get(request.POST.get("action", ""))
        back = HttpResponseRedirect(f"{self._url('changelist')}{query.link(after=query.after)}")
        if action is None:
            messages.warning(request, "No action was selected.")
            return back
        if not _may(request, action.name):
            raise PermissionDenied
        is_across = request.POST.get("select_across") == "1"
        chosen = [query.choice()] if is_across else chosen_rows(request.POST.getlist("_selected_action"))
        try:
            with _outbox() as outbox:
                if is_across and outbox.count(query.choice()) > MAX_ROWS:
                    text = f"More than {MAX_ROWS:,} events are selected: use the `tiktok-middleware outbox` commands."
                    messages.error(request, text)
                    return back
                rows = list(rows_of(outbox, chosen, MAX_ROWS))
                if not rows:
                    messages.warning(request, "No event was selected, or the selected ones have left the outbox.")
                    return back
                if request.POST.get("confirm") != "yes":
                    return self._confirm(request, action, rows, is_across)
                run = partial(action.run, outbox, chosen, request.POST.get("as_new") == "yes")
                self._perform(request, action, rows, run)
        except _FAULTS as error:
            messages.error(request, str(error))
        return back

    def _confirm(
        self, request: HttpRequest, action: Action, rows: Sequence[OutboxRow], is_across: bool
    ) -> HttpResponseBase:
        selected = [] if is_across else request.POST.getlist("_selected_action")
        context = {"action": action, "selected": selected, "is_across": is_across, "title": action.label}
        return self._page(request, "confirm.html", {**context, **confirmation(rows)})

    def _perform(
        self, request: HttpRequest, action: Action, rows: Sequence[OutboxRow], run: Callable[[], Outcome]
    ) -> None:
        """Perform an action, show its result to the user, and write both into the admin's log.

        The entry is written first, so that there is one if the server ends the request before the action is done. It
        has no identity.
        """
        events = list(dict.fromkeys(row.event_id for row in rows))
        named = ", ".join(events[:_MAX_LOGGED]) + (", ..." if len(events) > _MAX_LOGGED else "")
        entry = LogEntry.objects.create(
            user_id=request.user.pk,  # type: ignore[attr-defined]  # of the admin's authentication
            content_type_id=ContentType.objects.get_for_model(OutboxEvent).pk,
            object_id=events[0] if len(events) == 1 else "",
            object_repr=_shown(events),
            action_flag=DELETION if action.removes else CHANGE,
            change_message=" ".join(filter(None, (f"{action.label}: begun.", named))),
        )
        try:
            outcome = run()
        except _FAULTS as error:
            messages.error(request, str(error))
            result = f"failed: {error}"
        else:
            if outcome.done:
                messages.success(request, outcome.done)
            if outcome.left:
                messages.warning(request, outcome.left)
            result = " ".join(filter(None, outcome))
        entry.change_message = " ".join(filter(None, (f"{action.label}:", result, named)))
        entry.save(update_fields=["change_message"])

    def _actions(self, request: HttpRequest) -> list[Action]:
        return [action for action in ACTIONS.values() if _may(request, action.name)]

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponseBase:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]  # Django's way to name the site
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "title": "Outbox"}
        shared["crumbs_are_a_list"] = django.VERSION >= (6, 1)
        return TemplateResponse(request, f"{_TEMPLATES}/{template}", {**shared, **context})

    def _url(self, name: str) -> str:
        return str(reverse(f"admin:{_PAGE}_{name}", current_app=self.admin_site.name))


def _shown(events: Sequence[str]) -> str:
    """Return what an action was on, as the admin's log can hold it."""
    if len(events) == 1:
        return events[0][:_MAX_REPR]
    return f"{len(events)} events" if events else "a person"


def _may(request: HttpRequest, action: str) -> bool:
    """Return whether the user has the permission for an action; superusers have all."""
    return bool(request.user.has_perm(f"{_APP}.{action}_outboxevent"))  # type: ignore[attr-defined]  # as above
